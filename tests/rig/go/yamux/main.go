// The other implementation of yamux, for the tests of ours: one session on a TCP connection.
//
//	yamux serve           listens, prints its port, and serves one session as its server
//	yamux ask PORT        connects as a session's client, and asks
//
// Whoever accepts a stream does what its first line says:
//
//	echo          sends back what comes, and the end behind it
//	count         says how much came, once the end has come
//	late          sends "late" after the end has come
//	reset         breaks the stream off: hashicorp/yamux resets what it closes unfinished
//	go-away       says GO_AWAY
//
// After its conversations, "ask" prints one line of JSON for each.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/yamux"
)

func main() {
	if os.Args[1] == "serve" {
		serve()
	} else {
		ask(os.Args[2])
	}
}

func config() *yamux.Config {
	config := yamux.DefaultConfig()
	config.MaxStreamWindowSize = 1 << 20
	config.KeepAliveInterval = 50 * time.Millisecond
	config.StreamCloseTimeout = 200 * time.Millisecond
	config.LogOutput = os.Stderr
	return config
}

func serve() {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	session := must(yamux.Server(must(listener.Accept()), config()))
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go answer(session, stream)
	}
}

func answer(session *yamux.Session, stream *yamux.Stream) {
	reader := bufio.NewReader(stream)
	line, err := reader.ReadString('\n')
	if err != nil {
		return
	}
	switch strings.TrimSpace(line) {
	case "echo":
		io.Copy(stream, reader)
	case "count":
		size, _ := io.Copy(io.Discard, reader)
		fmt.Fprint(stream, size)
	case "late":
		io.Copy(io.Discard, reader)
		fmt.Fprint(stream, "late")
	case "reset":
		stream.Close() // without reading: after StreamCloseTimeout the session sends RST
		return
	case "go-away":
		session.GoAway()
		fmt.Fprint(stream, "said")
	}
	stream.Close()
}

func ask(port string) {
	session := must(yamux.Client(must(net.Dial("tcp", "127.0.0.1:"+port)), config()))
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	say("ping", must(session.Ping()) > 0)
	back := converse(session, "echo", body)
	say("echo", sha256.Sum256(back) == sha256.Sum256(body))
	say("count", string(converse(session, "count", body)))
	say("late", string(converse(session, "late", nil)))
	stream := open(session, "reset")
	_, err := io.ReadAll(stream)
	say("reset", fmt.Sprint(err))
	say("go-away", string(converse(session, "go-away", nil)))
	_, err = session.OpenStream()
	say("refused", fmt.Sprint(err))
}

func open(session *yamux.Session, kind string) *yamux.Stream {
	stream := must(session.OpenStream())
	fmt.Fprintln(stream, kind)
	return stream
}

func converse(session *yamux.Session, kind string, body []byte) []byte {
	stream := open(session, kind)
	go func() {
		stream.Write(body)
		stream.Close()
	}()
	return must(io.ReadAll(stream))
}

func say(what string, value any) {
	json.NewEncoder(os.Stdout).Encode([]any{what, value})
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}
