// A peer made of go-libp2p alone. It knows streams, gossip and mDNS, and nothing of what peers say to each other: the tests write and
// compare the bytes. How it is told what to do is in tests/interop/others.py, the same for every implementation.
//
//	gopeer noise|plaintext LISTEN_ADDRESS
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
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
	mqID     = protocol.ID("/goop/mq/1.0.0")
	patience = 30 * time.Second
)

type command struct {
	N        int
	Do       string
	Address  string
	Peer     string
	Protocol protocol.ID
	Topic    string
	Tag      string
	Data     []byte
	Lines    int
	Most     int64
}

var printing sync.Mutex

func say(what map[string]any) {
	printing.Lock()
	defer printing.Unlock()
	json.NewEncoder(os.Stdout).Encode(what)
}

type other struct {
	host   host.Host
	gossip *pubsub.PubSub
	topics map[string]*pubsub.Topic
}

func main() {
	security := libp2p.Security(noise.ID, noise.New)
	if os.Args[1] == "plaintext" {
		security = libp2p.NoSecurity
	}
	h, err := libp2p.New(libp2p.ListenAddrStrings(os.Args[2]), libp2p.Transport(tcp.NewTCPTransport), security,
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport), libp2p.DisableRelay())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer h.Close()
	one := &other{host: h, topics: map[string]*pubsub.Topic{}}
	h.SetStreamHandler(mqID, one.acknowledge)
	say(map[string]any{"event": "up", "address": fmt.Sprintf("%s/p2p/%s", h.Addrs()[0], h.ID())})
	commands := json.NewDecoder(os.Stdin)
	for {
		var told command
		if commands.Decode(&told) != nil {
			return
		}
		go func() {
			data, err := one.do(told)
			if err != nil {
				say(map[string]any{"n": told.N, "error": err.Error()})
			} else {
				say(map[string]any{"n": told.N, "data": data})
			}
		}()
	}
}

func (one *other) do(told command) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch told.Do {
	case "connect":
		info, err := peer.AddrInfoFromString(told.Address)
		if err != nil {
			return nil, err
		}
		return nil, one.host.Connect(ctx, *info)
	case "ask":
		return one.ask(ctx, told)
	case "answer":
		one.host.SetStreamHandler(told.Protocol, func(s network.Stream) { one.answer(s, told) })
		return nil, nil
	case "subscribe":
		return nil, one.subscribe(told.Topic)
	case "publish":
		return nil, one.topics[told.Topic].Publish(ctx, told.Data)
	case "mdns":
		return nil, mdns.NewMdnsService(one.host, told.Tag, one).Start()
	}
	return nil, errors.New("unknown: " + told.Do)
}

// Writes Data, reads until the end or Most bytes.
func (one *other) ask(ctx context.Context, told command) ([]byte, error) {
	id, err := peer.Decode(told.Peer)
	if err != nil {
		return nil, err
	}
	s, err := one.host.NewStream(ctx, id, told.Protocol)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	s.SetDeadline(time.Now().Add(patience))
	if _, err := s.Write(told.Data); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(s, told.Most))
}

// Reads Lines lines, tells them, writes Data and closes.
func (one *other) answer(s network.Stream, told command) {
	defer s.Close()
	reader := bufio.NewReader(s)
	asked := []byte{}
	for range told.Lines {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			s.Reset()
			return
		}
		asked = append(asked, line...)
	}
	one.tellAsked(s, asked)
	s.Write(told.Data)
}

// Acknowledges each message, as every peer of the network does.
func (one *other) acknowledge(s network.Stream) {
	defer s.Close()
	line, err := bufio.NewReader(s).ReadBytes('\n')
	var message struct {
		ID  string `json:"id"`
		Seq int64  `json:"seq"`
	}
	if err != nil || json.Unmarshal(line, &message) != nil {
		s.Reset()
		return
	}
	one.tellAsked(s, line)
	fmt.Fprintf(s, `{"type":"ack","id":%q,"seq":%d}`+"\n", message.ID, message.Seq)
}

func (one *other) tellAsked(s network.Stream, asked []byte) {
	say(map[string]any{"event": string(s.Protocol()), "sender": s.Conn().RemotePeer().String(), "data": asked})
}

func (one *other) subscribe(name string) error {
	if one.gossip == nil {
		gossip, err := pubsub.NewGossipSub(context.Background(), one.host)
		if err != nil {
			return err
		}
		one.gossip = gossip
	}
	topic, err := one.gossip.Join(name)
	if err != nil {
		return err
	}
	heard, err := topic.Subscribe()
	if err != nil {
		return err
	}
	one.topics[name] = topic
	go func() {
		for {
			message, err := heard.Next(context.Background())
			if err != nil {
				return
			}
			if message.GetFrom() != one.host.ID() {
				say(map[string]any{"event": name, "sender": message.GetFrom().String(), "data": message.Data})
			}
		}
	}()
	return nil
}

// HandlePeerFound is called by go-libp2p's own mDNS service.
func (one *other) HandlePeerFound(found peer.AddrInfo) {
	for _, address := range found.Addrs {
		say(map[string]any{"event": "found", "data": []byte(fmt.Sprintf("%s/p2p/%s", address, found.ID))})
	}
}
