// Command coredns is upstream's server with the plugins that the rig's Corefile names and no other.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// Who comes first is asked first; upstream's order has hosts before the cluster's own names.
	dnsserver.Directives = []string{
		"reload", "errors", "health", "ready", "cache", "kubernetes", "hosts", "template", "loop",
		"forward",
	}
	coremain.Run()
}
