// go-libp2p doing what a call of a data function and a file of a site do on the wire, for benchmarks/p2p.py: the yardstick's two sides.
//
//	bench-serve FILE                              prints its address, and answers until stdin ends
//	bench-ask new|kept ADDRESS SECONDS AT_ONCE    prints exchanges a second, each over a new stream or all of a task over one
//	bench-ask files ADDRESS COUNT                 prints megabytes a second
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	benchNew     = protocol.ID("/goop/data/1.0.0")
	benchKept    = protocol.ID("/goop/data-keep/1.0.0")
	benchFile    = protocol.ID("/goop/site/1.0.0")
	benchRequest = `{"op":"lua-call","function":"hello","params":{}}` + "\n"
	benchAnswer  = `{"ok":true,"data":"Hello, there"}` + "\n"
	benchPath    = "GET /large.bin\n"
	readBytes    = 65536
	megabyte     = 1e6
)

func init() {
	modes := map[string]func(){"bench-serve": benchServe, "bench-ask": benchAsk}
	if len(os.Args) > 1 && modes[os.Args[1]] != nil {
		modes[os.Args[1]]()
		os.Exit(0)
	}
}

func benchHost() host.Host {
	// All of a task's streams at once are 50: no limit of the library is met, and none is what is measured.
	return relayHost(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{}))
}

func benchServe() {
	h := benchHost()
	h.SetStreamHandler(benchNew, func(s network.Stream) {
		defer s.Close()
		if _, err := bufio.NewReader(s).ReadString('\n'); err == nil {
			io.WriteString(s, benchAnswer)
		}
	})
	h.SetStreamHandler(benchKept, func(s network.Stream) {
		defer s.Close()
		for lines := bufio.NewReader(s); ; {
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
			if _, err := io.WriteString(s, benchAnswer); err != nil {
				return
			}
		}
	})
	h.SetStreamHandler(benchFile, func(s network.Stream) { benchSend(s, os.Args[2]) })
	fmt.Printf("%s/p2p/%s\n", h.Addrs()[0], h.ID())
	io.Copy(io.Discard, os.Stdin)
}

func benchSend(s network.Stream, path string) {
	defer s.Close()
	if _, err := bufio.NewReader(s).ReadString('\n'); err != nil {
		return
	}
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	about, err := file.Stat()
	check(err)
	fmt.Fprintf(s, "OK application/octet-stream %d\n", about.Size())
	io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{file}, make([]byte, readBytes))
}

func benchAsk() {
	h := benchHost()
	to, err := peer.AddrInfoFromString(os.Args[3])
	check(err)
	check(h.Connect(context.Background(), *to))
	if os.Args[2] == "files" {
		count, err := strconv.Atoi(os.Args[4])
		check(err)
		fmt.Println(benchFiles(h, to.ID, count))
		return
	}
	seconds, err := strconv.ParseFloat(os.Args[4], 64)
	check(err)
	atOnce, err := strconv.Atoi(os.Args[5])
	check(err)
	fmt.Println(benchExchanges(h, to.ID, os.Args[2] == "kept", seconds, atOnce))
}

func opened(h host.Host, to peer.ID, id protocol.ID) network.Stream {
	s, err := h.NewStream(context.Background(), to, id)
	check(err)
	return s
}

func exchange(s network.Stream, lines *bufio.Reader) {
	_, err := io.WriteString(s, benchRequest)
	check(err)
	_, err = lines.ReadString('\n')
	check(err)
}

// How often a second exchanges ended, so many repeated at once.
func benchExchanges(h host.Host, to peer.ID, kept bool, seconds float64, atOnce int) float64 {
	var count atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for range atOnce {
		all.Add(1)
		go func() {
			defer all.Done()
			var s network.Stream
			var lines *bufio.Reader
			for time.Since(begun).Seconds() < seconds {
				if s == nil || !kept {
					s = opened(h, to, map[bool]protocol.ID{true: benchKept, false: benchNew}[kept])
					lines = bufio.NewReader(s)
				}
				exchange(s, lines)
				count.Add(1)
				if !kept {
					s.Close()
				}
			}
		}()
	}
	all.Wait()
	return float64(count.Load()) / time.Since(begun).Seconds()
}

func benchFiles(h host.Host, to peer.ID, count int) float64 {
	begun, total := time.Now(), int64(0)
	for range count {
		s := opened(h, to, benchFile)
		_, err := io.WriteString(s, benchPath)
		check(err)
		body := bufio.NewReaderSize(s, readBytes)
		header, err := body.ReadString('\n')
		check(err)
		words := strings.Fields(header)
		size, err := strconv.ParseInt(words[len(words)-1], 10, 64)
		check(err)
		got, err := io.CopyN(struct{ io.Writer }{io.Discard}, body, size)
		check(err)
		total += got
		s.Close()
	}
	return float64(total) / megabyte / time.Since(begun).Seconds()
}
