// Command sctp stands before agnhost, upstream's test program, on kernels without SCTP: it carries out itself what
// agnhost does by that protocol, and hands everything else on. Of SCTP it does what a connection begins with, the four
// messages of RFC 9260, section 5.1, by raw sockets; that is what a network lets pass or not.
//
//	agnhost connect HOST:PORT --protocol=sctp --timeout=3s   "TIMEOUT" and status 1 where nobody answers
//	SERVE_SCTP_PORT_9003=foo agnhost porter                  answers on that port until it is ended
package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	upstream   = "/agnhost-upstream"
	protocol   = 132
	servePort  = "SERVE_SCTP_PORT_"
	retryAfter = 500 * time.Millisecond
	headerSize = 12
)

// Types of chunks; RFC 9260, section 3.2.
const (
	chunkInit       = 1
	chunkInitAck    = 2
	chunkAbort      = 6
	chunkCookieEcho = 10
	chunkCookieAck  = 11
)

// The parameter of INIT ACK that comes back in COOKIE ECHO; section 3.3.3.1.
const paramCookie = 7

var checksum = crc32.MakeTable(crc32.Castagnoli)

// packet is one that was received, with its first chunk; that is the only one here.
type packet struct {
	from           net.IP
	source, target uint16
	chunk          byte
	value          []byte
	// initiateTag is that of INIT and INIT ACK.
	initiateTag uint32
}

func main() {
	if !kernelHasSCTP() && len(os.Args) > 1 {
		switch os.Args[1] {
		case "connect":
			if target, timeout, ok := sctpTarget(os.Args[2:]); ok {
				connect(target, timeout)
			}
		case "porter":
			if port, ok := portServed(); ok {
				serve(port)
			}
		}
	}
	err := syscall.Exec(upstream, append([]string{upstream}, os.Args[1:]...), os.Environ())
	fail("UNKNOWN: %v", err)
}

func kernelHasSCTP() bool {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, protocol)
	if err == nil {
		syscall.Close(fd)
	}
	return err == nil
}

// sctpTarget reads the arguments of "connect"; not ok where another protocol is asked for.
func sctpTarget(args []string) (target string, timeout time.Duration, ok bool) {
	timeout = 3 * time.Second
	for _, arg := range args {
		if value, found := strings.CutPrefix(arg, "--timeout="); found {
			timeout, _ = time.ParseDuration(value)
		} else if arg == "--protocol=sctp" {
			ok = true
		} else if !strings.HasPrefix(arg, "-") {
			target = arg
		}
	}
	return target, timeout, ok
}

// portServed is the port of the environment, where it names one.
func portServed() (uint16, bool) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if text, found := strings.CutPrefix(name, servePort); found {
			port, err := strconv.ParseUint(text, 10, 16)
			return uint16(port), err == nil
		}
	}
	return 0, false
}

// connect makes a connection, drops it, and ends the process as agnhost does.
func connect(target string, timeout time.Duration) {
	address, err := net.ResolveTCPAddr("tcp", target) // a host and a port there too
	if err != nil {
		fail("DNS: %v", err)
	}
	network := "ip6"
	if address.IP.To4() != nil {
		network = "ip4"
	}
	socket := listen(network)
	deadline := time.Now().Add(timeout)
	ours, theirs := uint16(32768+rand.IntN(28000)), uint16(address.Port)
	tag := rand.Uint32() | 1
	to := &net.IPAddr{IP: address.IP}
	// Each message is sent again until the next one comes, as a network may lose it.
	answered := func(tag uint32, chunk byte, value []byte, answer byte) packet {
		for time.Now().Before(deadline) {
			send(socket, to, ours, theirs, tag, chunk, value)
			until := time.Now().Add(retryAfter)
			for {
				socket.SetReadDeadline(earlier(until, deadline))
				got, err := receive(socket)
				if err != nil {
					break
				}
				if got.source == theirs && got.target == ours && got.chunk == answer && got.from.Equal(address.IP) {
					return got
				}
			}
		}
		fail("TIMEOUT")
		return packet{}
	}
	ack := answered(0, chunkInit, initValue(tag), chunkInitAck)
	answered(ack.initiateTag, chunkCookieEcho, cookieOf(ack.value), chunkCookieAck)
	send(socket, to, ours, theirs, ack.initiateTag, chunkAbort, nil)
	os.Exit(0)
}

// serve answers whoever connects to the port, by both families, without end.
func serve(port uint16) {
	fmt.Fprintln(os.Stderr, "Started SCTP server, without SCTP in the kernel")
	go answer(listen("ip6"), port)
	answer(listen("ip4"), port)
}

func answer(socket *net.IPConn, port uint16) {
	for {
		got, err := receive(socket)
		if err != nil {
			fail("Failed to accept SCTP. error: %v", err)
		}
		if got.target != port {
			continue
		}
		to := &net.IPAddr{IP: got.from}
		switch got.chunk {
		case chunkInit:
			tag := rand.Uint32() | 1
			// The cookie holds what is to be remembered of the other side: its tag.
			cookie := binary.BigEndian.AppendUint16(nil, paramCookie)
			cookie = binary.BigEndian.AppendUint16(cookie, 8)
			cookie = binary.BigEndian.AppendUint32(cookie, got.initiateTag)
			send(socket, to, port, got.source, got.initiateTag, chunkInitAck, append(initValue(tag), cookie...))
		case chunkCookieEcho:
			if len(got.value) >= 4 {
				send(socket, to, port, got.source, binary.BigEndian.Uint32(got.value), chunkCookieAck, nil)
			}
		}
	}
}

func listen(network string) *net.IPConn {
	socket, err := net.ListenIP(fmt.Sprintf("%s:%d", network, protocol), nil)
	if err != nil {
		fail("OTHER: %v", err)
	}
	return socket
}

// initValue is what INIT and INIT ACK begin with: tag, window, streams out and in, first number.
func initValue(tag uint32) []byte {
	value := binary.BigEndian.AppendUint32(nil, tag)
	value = binary.BigEndian.AppendUint32(value, 65536)
	value = binary.BigEndian.AppendUint16(value, 1)
	value = binary.BigEndian.AppendUint16(value, 1)
	return binary.BigEndian.AppendUint32(value, rand.Uint32())
}

// cookieOf finds the cookie among the parameters of an INIT ACK.
func cookieOf(value []byte) []byte {
	for rest := value[min(16, len(value)):]; len(rest) >= 4; {
		size := int(binary.BigEndian.Uint16(rest[2:]))
		if size < 4 || size > len(rest) {
			break
		}
		if binary.BigEndian.Uint16(rest) == paramCookie {
			return rest[4:size]
		}
		rest = rest[min((size+3)&^3, len(rest)):]
	}
	return nil
}

// send sends a packet of one chunk; what the network refuses counts as lost.
func send(socket *net.IPConn, to *net.IPAddr, source, target uint16, tag uint32, chunk byte, value []byte) {
	data := binary.BigEndian.AppendUint16(nil, source)
	data = binary.BigEndian.AppendUint16(data, target)
	data = binary.BigEndian.AppendUint32(data, tag)
	data = append(data, 0, 0, 0, 0, chunk, 0)
	data = binary.BigEndian.AppendUint16(data, uint16(4+len(value)))
	data = append(data, value...)
	binary.LittleEndian.PutUint32(data[8:], crc32.Checksum(data, checksum))
	socket.WriteTo(data, to)
}

// receive waits for the next packet that is whole.
func receive(socket *net.IPConn) (packet, error) {
	buffer := make([]byte, 2048)
	for {
		size, from, err := socket.ReadFromIP(buffer)
		if err != nil {
			return packet{}, err
		}
		data := buffer[:size]
		if size < headerSize+4 {
			continue
		}
		length := int(binary.BigEndian.Uint16(data[headerSize+2:]))
		if length < 4 || headerSize+length > size {
			continue
		}
		got := packet{
			from:   from.IP,
			source: binary.BigEndian.Uint16(data),
			target: binary.BigEndian.Uint16(data[2:]),
			chunk:  data[headerSize],
			value:  data[headerSize+4 : headerSize+length],
		}
		if (got.chunk == chunkInit || got.chunk == chunkInitAck) && len(got.value) >= 16 {
			got.initiateTag = binary.BigEndian.Uint32(got.value)
		}
		return got, nil
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
