// Hole punching (DCUtR) with go-libp2p's own service, for tests/e2e: prints JSON lines as tests/e2e/punching_peer.py does.
//
//	relay-at LISTEN                   is a relay there: {"address"}
//	punch-callee RELAY LISTEN         keeps a place at RELAY and answers: {"address": through the relay}, then {"ways", "remote"} whenever they change
//	punch-caller ADDRESS LISTEN SECS  asks the callee at once, and when it is connected directly or the time is over: {"ways", "answer"}
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
)

const originID = protocol.ID("/test/origin")

func init() {
	modes := map[string]func(){"relay-at": beRelayAt, "punch-callee": beCallee, "punch-caller": beCaller}
	if len(os.Args) > 1 && modes[os.Args[1]] != nil {
		modes[os.Args[1]]()
		os.Exit(0)
	}
}

func punchingHost(listen string) host.Host {
	identify.ActivationThresh = 1 // there is one observer, the relay
	return relayHost(libp2p.ListenAddrStrings(listen), libp2p.EnableRelay(), libp2p.EnableHolePunching(), libp2p.ForceReachabilityPrivate())
}

func print(what map[string]any) {
	check(json.NewEncoder(os.Stdout).Encode(what))
}

func isRelayed(conn network.Conn) bool {
	return strings.Contains(conn.RemoteMultiaddr().String(), "/p2p-circuit")
}

func ways(h host.Host, id peer.ID) []string {
	found := []string{}
	for _, conn := range h.Network().ConnsToPeer(id) {
		if isRelayed(conn) {
			found = append(found, "relayed")
		} else {
			found = append(found, "direct")
		}
	}
	sort.Strings(found)
	return found
}

func beRelayAt() {
	h := relayHost(libp2p.ListenAddrStrings(os.Args[2]), libp2p.DisableRelay(), libp2p.ForceReachabilityPublic())
	_, err := relay.New(h)
	check(err)
	print(map[string]any{"address": fmt.Sprintf("%s/p2p/%s", os.Args[2], h.ID())})
	io.Copy(io.Discard, os.Stdin)
}

func beCallee() {
	h := punchingHost(os.Args[3])
	h.SetStreamHandler(originID, func(s network.Stream) {
		defer s.Close()
		fmt.Fprint(s, s.Conn().RemoteMultiaddr())
	})
	via, err := peer.AddrInfoFromString(os.Args[2])
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	check(h.Connect(ctx, *via))
	_, err = client.Reserve(ctx, h, *via)
	check(err)
	changed := func(_ network.Network, conn network.Conn) {
		if id := conn.RemotePeer(); id != via.ID {
			print(map[string]any{"ways": ways(h, id), "remote": conn.RemoteMultiaddr().String(), "peer": id.String()})
		}
	}
	h.Network().Notify(&network.NotifyBundle{ConnectedF: changed, DisconnectedF: changed})
	print(map[string]any{"address": fmt.Sprintf("%s/p2p-circuit/p2p/%s", os.Args[2], h.ID())})
	io.Copy(io.Discard, os.Stdin)
}

func beCaller() {
	h := punchingHost(os.Args[3])
	seconds, err := strconv.Atoi(os.Args[4])
	check(err)
	to, err := peer.AddrInfoFromString(os.Args[2])
	check(err)
	via, err := peer.AddrInfoFromString(strings.Split(os.Args[2], "/p2p-circuit")[0])
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	check(h.Connect(ctx, *via))
	for len(h.Addrs()) == 0 || !observed(h) { // the callee wants an address of ours
		time.Sleep(50 * time.Millisecond)
	}
	check(h.Connect(ctx, *to))
	print(map[string]any{"ways": ways(h, to.ID), "answer": ask(h, to.ID)})
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if strings.Contains(strings.Join(ways(h, to.ID), " "), "direct") {
			break
		}
	}
	print(map[string]any{"ways": ways(h, to.ID), "answer": ask(h, to.ID)})
	io.Copy(io.Discard, os.Stdin)
}

// The service answers once the host knows its public address.
func observed(h host.Host) bool {
	for _, id := range h.Mux().Protocols() {
		if id == "/libp2p/dcutr" {
			return true
		}
	}
	return false
}

func ask(h host.Host, id peer.ID) string {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	s, err := h.NewStream(network.WithAllowLimitedConn(ctx, "what goes through a relay is bounded"), id, originID)
	check(err)
	s.CloseWrite()
	answer, err := io.ReadAll(s)
	check(err)
	return string(answer)
}
