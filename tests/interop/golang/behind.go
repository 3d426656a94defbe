// A peer that plays a real Goop2 peer behind a router, with go-libp2p alone; the formats are those of network.md. For tests/interop.
//
//	behind RENDEZVOUS LABEL OTHER PATH   keeps a place at the rendezvous' relay, announces itself, serves PATH as many bytes as it asks for,
//	                                     and reads PATH of the peer with the label OTHER: prints {"id"}, then {"size", "sum", "relayed"}
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
)

const (
	siteID    = protocol.ID("/goop/site/1.0.0")
	bigBytes  = 20 * 1024 * 1024
	heartbeat = 5 * time.Second
)

// As a real peer reads it: seconds that are no integers are an error, and then there is no relay.
type toldRelay struct {
	PeerID          string   `json:"peer_id"`
	Addrs           []string `json:"addrs"`
	CleanupDelay    int      `json:"cleanup_delay_sec"`
	PollDeadline    int      `json:"poll_deadline_sec"`
	ConnectTimeout  int      `json:"connect_timeout_sec"`
	RefreshInterval int      `json:"refresh_interval_sec"`
	RecoveryGrace   int      `json:"recovery_grace_sec"`
}

type presence struct {
	Type    string   `json:"type"`
	PeerID  string   `json:"peerId"`
	Content string   `json:"content"`
	Addrs   []string `json:"addrs,omitempty"`
	TS      int64    `json:"ts"`
}

func init() {
	if len(os.Args) > 1 && os.Args[1] == "behind" {
		beBehind(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
		os.Exit(0)
	}
}

func beBehind(rendezvous, label, other, path string) {
	answer, err := http.Get(rendezvous + "/relay")
	check(err)
	var told toldRelay
	check(json.NewDecoder(answer.Body).Decode(&told))
	h := relayHost(libp2p.ListenAddrStrings("/ip4/0.0.0.0/tcp/0"), libp2p.EnableRelay(), libp2p.ForceReachabilityPrivate())
	h.SetStreamHandler(labelID, func(s network.Stream) {
		defer s.Close()
		fmt.Fprintf(s, "%s\n", label)
	})
	h.SetStreamHandler(siteID, serveBig)
	via := reserve(h, told)
	go announce(rendezvous, label, h.ID(), via+"/p2p-circuit/p2p/"+h.ID().String())
	print(map[string]any{"id": h.ID().String()})
	for said := range heard(rendezvous) {
		if said.Content == other && len(said.Addrs) > 0 {
			if size, sum, limited, err := read(h, said, path); err == nil {
				print(map[string]any{"size": size, "sum": sum, "relayed": limited})
				break
			} else {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	io.Copy(io.Discard, os.Stdin)
}

func reserve(h host.Host, told toldRelay) string {
	for _, address := range told.Addrs {
		if !strings.Contains(address, "/p2p/") {
			address += "/p2p/" + told.PeerID
		}
		via, err := peer.AddrInfoFromString(address)
		check(err)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(told.ConnectTimeout)*time.Second)
		defer cancel()
		if h.Connect(ctx, *via) == nil {
			_, err = client.Reserve(ctx, h, *via)
			check(err)
			return address
		}
	}
	panic("no address of the relay answers")
}

func announce(rendezvous, label string, id peer.ID, address string) {
	for said := "online"; ; said = "update" {
		body, err := json.Marshal(presence{said, id.String(), label, []string{address}, time.Now().UnixMilli()})
		check(err)
		if answer, err := http.Post(rendezvous+"/publish", "application/json", bytes.NewReader(body)); err == nil {
			answer.Body.Close()
		}
		time.Sleep(heartbeat)
	}
}

func heard(rendezvous string) <-chan presence {
	found := make(chan presence)
	answer, err := http.Get(rendezvous + "/events")
	check(err)
	go func() {
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() {
			var said presence
			if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok && json.Unmarshal([]byte(data), &said) == nil {
				found <- said
			}
		}
		close(found)
	}()
	return found
}

func read(h host.Host, said presence, path string) (int64, string, bool, error) {
	id, err := peer.Decode(said.PeerID)
	check(err)
	info := peer.AddrInfo{ID: id}
	for _, address := range said.Addrs {
		if !strings.Contains(address, "/p2p/"+said.PeerID) {
			address += "/p2p/" + said.PeerID
		}
		if one, err := peer.AddrInfoFromString(address); err == nil && one.ID == id {
			info.Addrs = append(info.Addrs, one.Addrs...)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := h.Connect(ctx, info); err != nil {
		return 0, "", false, err
	}
	s, err := h.NewStream(network.WithAllowLimitedConn(ctx, "what goes through a relay is bounded"), id, siteID)
	if err != nil {
		return 0, "", false, err
	}
	defer s.Close()
	fmt.Fprintf(s, "GET %s\n", path)
	reader := bufio.NewReader(s)
	header, err := reader.ReadString('\n')
	words := strings.Fields(header)
	if err != nil || len(words) < 3 || words[0] != "OK" {
		return 0, "", false, fmt.Errorf("%q %v", header, err)
	}
	size, err := strconv.ParseInt(words[len(words)-1], 10, 64)
	check(err)
	sum := sha256.New()
	got, err := io.Copy(sum, io.LimitReader(reader, size))
	return got, hex.EncodeToString(sum.Sum(nil)), s.Conn().Stat().Limited, err
}

func serveBig(s network.Stream) {
	defer s.Close()
	if _, err := bufio.NewReader(s).ReadString('\n'); err != nil {
		s.Reset()
		return
	}
	fmt.Fprintf(s, "OK application/octet-stream %d\n", bigBytes)
	s.Write(bytes.Repeat([]byte("0123456789abcdef"), bigBytes/16))
}
