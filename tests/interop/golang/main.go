// A peer made of go-libp2p alone, for tests/interop: it serves and asks content, data and mq as network.md says, told by its arguments.
//
//	serve                              prints its address, then a JSON line for every request and message it gets
//	content|data|mq ADDRESS [LINE]     asks once and prints what came
//	presence ADDRESS SECONDS           connects, gives signs over go-libp2p-pubsub and prints a JSON line for each it hears
//	mdns TAG SECONDS                   prints the peers go-libp2p's own mDNS service finds under the tag
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

const (
	contentID = protocol.ID("/goop/content/1.0.0")
	siteID    = protocol.ID("/goop/site/1.0.0")
	dataID    = protocol.ID("/goop/data/1.0.0")
	mqID      = protocol.ID("/goop/mq/1.0.0")
)

func main() {
	address := "/ip4/127.0.0.1/tcp/0"
	if os.Args[1] == "mdns" {
		address = "/ip4/0.0.0.0/tcp/0"
	}
	h, err := libp2p.New(libp2p.ListenAddrStrings(address), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New), libp2p.Muxer(yamux.ID, yamux.DefaultTransport), libp2p.DisableRelay())
	check(err)
	defer h.Close()
	switch os.Args[1] {
	case "serve":
		serve(h)
	case "mdns":
		discover(h)
	case "presence":
		presence(h)
	default:
		ask(h)
	}
}

func serve(h host.Host) {
	h.SetStreamHandler(contentID, func(s network.Stream) {
		defer s.Close()
		fmt.Fprint(s, "Gopher\n")
	})
	h.SetStreamHandler(siteID, func(s network.Stream) {
		defer s.Close()
		bufio.NewReader(s).ReadString('\n')
		fmt.Fprint(s, "OK text/html; charset=utf-8 6\n<p>Go!")
	})
	h.SetStreamHandler(dataID, func(s network.Stream) {
		defer s.Close()
		var request map[string]any
		line(s, &request)
		report(s, request)
		json.NewEncoder(s).Encode(map[string]any{"ok": true, "data": map[string]any{"you": s.Conn().RemotePeer().String(), "asked": request["function"]}})
	})
	h.SetStreamHandler(mqID, func(s network.Stream) {
		defer s.Close()
		var message map[string]any
		line(s, &message)
		report(s, message)
		json.NewEncoder(s).Encode(map[string]any{"type": "ack", "id": message["id"], "seq": message["seq"]})
	})
	fmt.Printf("%s/p2p/%s\n", h.Addrs()[0], h.ID())
	io.Copy(io.Discard, os.Stdin)
}

func ask(h host.Host) {
	info, err := peer.AddrInfoFromString(os.Args[2])
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	check(h.Connect(ctx, *info))
	id := map[string]protocol.ID{"content": contentID, "site": siteID, "data": dataID, "mq": mqID}[os.Args[1]]
	s, err := h.NewStream(ctx, info.ID, id)
	check(err)
	s.SetDeadline(time.Now().Add(10 * time.Second))
	if os.Args[1] == "mq" {
		h.SetStreamHandler(mqID, func(back network.Stream) {
			defer back.Close()
			var message map[string]any
			line(back, &message)
			json.NewEncoder(back).Encode(map[string]any{"type": "ack", "id": message["id"], "seq": message["seq"]})
			report(back, message)
		})
	}
	if len(os.Args) > 3 {
		fmt.Fprintln(s, os.Args[3])
	}
	answer, err := bufio.NewReader(s).ReadString(0)
	if err != nil && err != io.EOF {
		check(err)
	}
	s.Close()
	fmt.Print(answer)
	if os.Args[1] == "mq" {
		time.Sleep(2 * time.Second)
	}
}

func presence(h host.Host) {
	info, err := peer.AddrInfoFromString(os.Args[2])
	check(err)
	seconds, err := strconv.Atoi(os.Args[3])
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
	defer cancel()
	gossip, err := pubsub.NewGossipSub(ctx, h)
	check(err)
	topic, err := gossip.Join("goop.presence.v1")
	check(err)
	heard, err := topic.Subscribe()
	check(err)
	check(h.Connect(ctx, *info))
	go func() {
		for ctx.Err() == nil {
			said, _ := json.Marshal(map[string]any{"type": "online", "peerId": h.ID().String(), "content": "Gopher", "ts": time.Now().UnixMilli(),
				"addrs": []string{h.Addrs()[0].String()}, "avatarHash": "", "futureKey": 1})
			topic.Publish(ctx, said)
			time.Sleep(500 * time.Millisecond)
		}
	}()
	for {
		message, err := heard.Next(ctx)
		if err != nil {
			return
		}
		if message.GetFrom() != h.ID() {
			fmt.Printf("{\"author\": %q, \"said\": %s}\n", message.GetFrom(), message.Data)
		}
	}
}

type notifee struct{}

func (notifee) HandlePeerFound(found peer.AddrInfo) {
	for _, address := range found.Addrs {
		fmt.Printf("%s/p2p/%s\n", address, found.ID)
	}
}

func discover(h host.Host) {
	service := mdns.NewMdnsService(h, os.Args[2], notifee{})
	check(service.Start())
	defer service.Close()
	fmt.Printf("%s/p2p/%s\n", h.Addrs()[0], h.ID())
	seconds, err := strconv.Atoi(os.Args[3])
	check(err)
	time.Sleep(time.Duration(seconds) * time.Second)
}

func line(s network.Stream, into any) {
	content, err := bufio.NewReader(s).ReadBytes('\n')
	if err != nil {
		s.Reset()
		return
	}
	json.Unmarshal(content, into)
}

func report(s network.Stream, what map[string]any) {
	what["sender"] = s.Conn().RemotePeer().String()
	json.NewEncoder(os.Stdout).Encode(what)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
