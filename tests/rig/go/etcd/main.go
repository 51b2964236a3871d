// Command etcd is upstream's server, built here because Debian's 3.4 sends no progress
// notifications, without which Kubernetes 1.36 blocks every quiet watch and answers 504.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
