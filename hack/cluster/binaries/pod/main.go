// Pod is the one program in the test cluster's own image. Alone it holds a pod's namespaces open
// and reaps what the pod's other processes leave behind. Its words try a network out from inside:
//
//	pod lookup NAME     prints the addresses of a name
//	pod get URL         prints what an HTTP server answers
//	pod serve ADDRESS   answers HTTP requests with the name of its host
//	pod write FILE TEXT and pod read FILE try a volume out
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const patience = 10 * time.Second

func main() {
	words := append(os.Args[1:], "", "", "")
	commands := map[string]func() error{
		"":       pause,
		"lookup": func() error { return lookup(words[1]) },
		"get":    func() error { return get(words[1]) },
		"serve":  func() error { return serve(words[1]) },
		"read":   func() error { return read(words[1]) },
		"write":  func() error { return os.WriteFile(words[1], []byte(words[2]+"\n"), 0o644) },
	}
	command, known := commands[words[0]]
	if !known {
		fmt.Fprintf(os.Stderr, "pod: no command %q\n", words[0])
		os.Exit(2)
	}
	if err := command(); err != nil {
		fmt.Fprintln(os.Stderr, "pod:", err)
		os.Exit(1)
	}
}

func pause() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return nil
		}
		for pid := 1; pid > 0; {
			pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
	return nil
}

func lookup(name string) error {
	within, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(within, name)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(addresses, "\n"))
	return nil
}

func get(url string) error {
	client := http.Client{Timeout: patience}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func serve(address string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	answer := func(response http.ResponseWriter, request *http.Request) {
		fmt.Fprintln(response, host)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("serving on", listener.Addr())
	server := http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: patience}
	go server.Serve(listener)
	<-signals
	return nil
}

func read(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(content)
	return err
}
