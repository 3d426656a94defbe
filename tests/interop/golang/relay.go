// Circuit relay v2 with go-libp2p's own relay and client, for tests/interop:
//
//	relay                       is a relay: prints its address
//	hidden RELAY                listens nowhere, keeps a place at RELAY and serves its label: prints its address through the relay
//	through ADDRESS             reads a label through a relay (…/p2p-circuit/p2p/…), and prints it and whom it was connected to
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

const labelID = protocol.ID("/goop/content/1.0.0")

// Before main, which knows the other modes.
func init() {
	modes := map[string]func(){"relay": beRelay, "hidden": hide, "through": readThrough}
	if len(os.Args) > 1 && modes[os.Args[1]] != nil {
		modes[os.Args[1]]()
		os.Exit(0)
	}
}

func relayHost(options ...libp2p.Option) host.Host {
	options = append(options, libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport))
	h, err := libp2p.New(options...)
	check(err)
	return h
}

func beRelay() {
	h := relayHost(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.ForceReachabilityPublic())
	_, err := relay.New(h)
	check(err)
	fmt.Printf("%s/p2p/%s\n", h.Addrs()[0], h.ID())
	io.Copy(io.Discard, os.Stdin)
}

func hide() {
	h := relayHost(libp2p.NoListenAddrs, libp2p.EnableRelay())
	h.SetStreamHandler(labelID, func(s network.Stream) {
		defer s.Close()
		fmt.Fprintf(s, "Hidden gopher, called by %s\n", s.Conn().RemotePeer())
	})
	via, err := peer.AddrInfoFromString(os.Args[2])
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	check(h.Connect(ctx, *via))
	place, err := client.Reserve(ctx, h, *via)
	check(err)
	if place.Expiration.Before(time.Now().Add(time.Minute)) {
		panic("the place ends at once")
	}
	fmt.Printf("%s/p2p-circuit/p2p/%s\n", os.Args[2], h.ID())
	io.Copy(io.Discard, os.Stdin)
}

func readThrough() {
	h := relayHost(libp2p.NoListenAddrs, libp2p.EnableRelay())
	to, err := peer.AddrInfoFromString(os.Args[2])
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	check(h.Connect(ctx, *to))
	s, err := h.NewStream(network.WithAllowLimitedConn(ctx, "what goes through a relay is bounded"), to.ID, labelID)
	check(err)
	label, err := io.ReadAll(s)
	check(err)
	fmt.Printf("%s%s %v %d\n", label, s.Conn().RemotePeer(), s.Conn().Stat().Limited, len(h.Network().ConnsToPeer(to.ID)))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
