// Command probe asks one question of the network from a static program that brings its own
// resolver: the client that a preloaded C library cannot reach.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const limit = 10 * time.Second

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: probe http URL | dns NAME [SERVER] | srv NAME [SERVER]"+
			" | tcp HOST:PORT TEXT | udp HOST:PORT TEXT")
		os.Exit(2)
	}
	answer, err := ask(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
	fmt.Println(answer)
}

func ask(kind, target string, rest []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	more := strings.Join(rest, " ")
	switch kind {
	case "http":
		return get(ctx, target)
	case "dns":
		found, err := resolver(more).LookupHost(ctx, target)
		return strings.Join(found, "\n"), err
	case "srv":
		return services(ctx, target, more)
	case "tcp", "udp":
		return exchange(ctx, kind, target, more)
	}
	return "", fmt.Errorf("no question of kind %q", kind)
}

func resolver(server string) *net.Resolver {
	if server == "" {
		return &net.Resolver{PreferGo: true}
	}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(server, "53"))
	}
	return &net.Resolver{PreferGo: true, Dial: dial}
}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 400 {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return strings.TrimSpace(string(body)), err
}

func services(ctx context.Context, name, server string) (string, error) {
	_, found, err := resolver(server).LookupSRV(ctx, "", "", name)
	lines := make([]string, 0, len(found))
	for _, one := range found {
		lines = append(lines, fmt.Sprintf("%s:%d", one.Target, one.Port))
	}
	return strings.Join(lines, "\n"), err
}

func exchange(ctx context.Context, network, address, text string) (string, error) {
	link, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return "", err
	}
	defer link.Close()
	if err := link.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := link.Write([]byte(text)); err != nil {
		return "", err
	}
	answer := make([]byte, 65536)
	count, err := link.Read(answer)
	return string(answer[:count]), err
}
