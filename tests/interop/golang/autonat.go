// AutoNAT with go-libp2p's own client and server, for tests/interop: prints JSON lines.
//
//	autonat-server 1|2 LISTEN                 dials whoever asks: {"address"}
//	autonat-client 1|2 SERVER LISTEN ADDRESS  asks to be dialled at ADDRESS: {"reachability": "Public" | "Private" | the error}
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/autonat"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	ma "github.com/multiformats/go-multiaddr"
)

func init() {
	modes := map[string]func(){"autonat-server": dialBack, "autonat-client": askToBeDialled}
	if len(os.Args) > 1 && modes[os.Args[1]] != nil {
		modes[os.Args[1]]()
		os.Exit(0)
	}
}

// A host that takes part in version 2; version 1 the server has beside it, or alone.
func version2(h host.Host) *autonatv2.AutoNAT {
	an, err := autonatv2.New(relayHost(libp2p.NoListenAddrs, libp2p.DisableRelay()))
	check(err)
	check(an.Start(h))
	return an
}

func dialBack() {
	options := []libp2p.Option{libp2p.ListenAddrStrings(os.Args[3]), libp2p.DisableRelay(), libp2p.ForceReachabilityPublic()}
	if os.Args[2] == "1" {
		options = append(options, libp2p.EnableNATService())
	}
	h := relayHost(options...)
	if os.Args[2] == "2" {
		version2(h)
	}
	print(map[string]any{"address": fmt.Sprintf("%s/p2p/%s", os.Args[3], h.ID())})
	io.Copy(io.Discard, os.Stdin)
}

func askToBeDialled() {
	h := relayHost(libp2p.ListenAddrStrings(os.Args[4]), libp2p.DisableRelay())
	address, err := ma.NewMultiaddr(os.Args[5])
	check(err)
	server, err := peer.AddrInfoFromString(os.Args[3])
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	said := "Public"
	if os.Args[2] == "2" {
		an := version2(h)
		check(h.Connect(ctx, *server))
		time.Sleep(time.Second) // until identify has told what the server speaks
		result, err := an.GetReachability(ctx, []autonatv2.Request{{Addr: address}})
		if said = result.Reachability.String(); err != nil {
			said = err.Error()
		}
	} else {
		check(h.Connect(ctx, *server))
		client := autonat.NewAutoNATClient(h, func() []ma.Multiaddr { return []ma.Multiaddr{address} }, nil)
		if err := client.DialBack(ctx, server.ID); autonat.IsDialError(err) {
			said = "Private"
		} else if err != nil {
			said = err.Error()
		}
	}
	print(map[string]any{"reachability": said})
}
