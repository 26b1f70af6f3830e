// Command policy-agent is what the pods of the chaos test of policies run: it sends to whoever is listed from its first
// instruction on, listens, answers on its own account for a while, and writes down every packet that came. It tells
// nothing by the network under test.
//
//	policy-agent FOLDER   FOLDER/targets has an address a line, read again and again; FOLDER/UID.log is written
//
// UID is of the environment. A message is "d UID" (sent to a port of its own accord) or "p UID" (sent back, unasked, to
// whoever sent lately or is connected); by UDP it is a packet, by TCP it has messageSize bytes. A line of the log:
// nanoseconds since 1970 by the kernel, d or p, UID of the sender, its address, its port, the port here.
package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	every = 400 * time.Millisecond
	// remember is how long it goes on to send back to one that has fallen silent.
	remember = 8 * time.Second
	// of the kernel: socket options that are not in package syscall.
	soTimestampNS  = 35
	tcpUserTimeout = 18
	// messageSize is that of a message by TCP, with spaces at its end.
	messageSize = 40
	// patience is how long a connection lasts whose other end does not answer.
	patience = 3 * time.Second
	tcpPort  = 7100
)

// ports is where it listens for UDP.
var ports = []int{7000, 7001}

// client is one that sent to a port of ours.
type client struct {
	port int
	from netip.AddrPort
}

// log is the file that everything is told to.
type log struct {
	mutex sync.Mutex
	file  *os.File
}

func main() {
	if len(os.Args) != 2 || os.Getenv("UID") == "" {
		fail("usage: UID=… policy-agent FOLDER")
	}
	folder, uid := os.Args[1], os.Getenv("UID")
	file, err := os.OpenFile(folder+"/"+uid+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		fail("%v", err)
	}
	told := &log{file: file}
	for _, port := range ports {
		serve(listen(port), port, uid, told)
	}
	go accept(uid, told)
	connected := map[netip.Addr]bool{}
	// One socket for all that it begins, so that a flow is the same one as long as the pod is.
	socket := listen(0)
	go receive(socket, told, 0, func(netip.AddrPort) {})
	for ; ; time.Sleep(every) {
		text, _ := os.ReadFile(folder + "/targets")
		for _, line := range strings.Fields(string(text)) {
			address, err := netip.ParseAddr(line)
			if err != nil {
				continue
			}
			if !connected[address] {
				connected[address] = true
				go connect(netip.AddrPortFrom(address, tcpPort), uid, told)
			}
			for _, port := range ports {
				// What the kernel refuses, since there is no way there, is no packet.
				socket.WriteToUDPAddrPort([]byte("d "+uid), netip.AddrPortFrom(address, uint16(port)))
			}
		}
	}
}

// serve listens on a port, and sends to whoever sent lately.
func serve(socket *net.UDPConn, port int, uid string, told *log) {
	var mutex sync.Mutex
	seen := map[netip.AddrPort]time.Time{}
	go receive(socket, told, port, func(from netip.AddrPort) {
		mutex.Lock()
		seen[from] = time.Now()
		mutex.Unlock()
	})
	go func() {
		for ; ; time.Sleep(every) {
			mutex.Lock()
			for to, last := range seen {
				if time.Since(last) > remember {
					delete(seen, to)
				} else {
					socket.WriteToUDPAddrPort([]byte("p "+uid), to)
				}
			}
			mutex.Unlock()
		}
	}()
}

// receive tells every packet of a socket, and hands on who sent one of its own accord.
func receive(socket *net.UDPConn, told *log, port int, began func(netip.AddrPort)) {
	data, control := make([]byte, 256), make([]byte, 128)
	for {
		size, controlSize, _, from, err := socket.ReadMsgUDPAddrPort(data, control)
		if err != nil {
			continue
		}
		kind, uid, _ := strings.Cut(string(data[:size]), " ")
		at := time.Now()
		if stamped, ok := timestamp(control[:controlSize]); ok {
			at = stamped
		}
		told.tell(at, kind, uid, from, port)
		if kind == "d" {
			began(from)
		}
	}
}

func (told *log) tell(at time.Time, kind, uid string, from netip.AddrPort, port int) {
	told.mutex.Lock()
	defer told.mutex.Unlock()
	fmt.Fprintf(told.file, "%d %s %s %s %d %d\n", at.UnixNano(), kind, uid, from.Addr().Unmap(), from.Port(), port)
}

// accept takes connections, and speaks on them without being asked.
func accept(uid string, told *log) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{Port: tcpPort})
	if err != nil {
		fail("%v", err)
	}
	for {
		connection, err := listener.AcceptTCP()
		if err != nil {
			continue
		}
		go converse(connection, "p "+uid, told, tcpPort)
	}
}

// connect holds a connection to an address, and makes it again whenever it ends.
func connect(target netip.AddrPort, uid string, told *log) {
	dialer := net.Dialer{Timeout: patience}
	for ; ; time.Sleep(every) {
		if connection, err := dialer.Dial("tcp", target.String()); err == nil {
			converse(connection.(*net.TCPConn), "d "+uid, told, 0)
		}
	}
}

// converse sends a message again and again and tells those that come, until the connection ends.
func converse(connection *net.TCPConn, message string, told *log, port int) {
	defer connection.Close()
	from := connection.RemoteAddr().(*net.TCPAddr).AddrPort()
	raw, err := connection.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soTimestampNS, 1)
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(patience.Milliseconds()))
	})
	go func() {
		defer connection.Close()
		for ; ; time.Sleep(every) {
			if _, err := fmt.Fprintf(connection, "%-*s", messageSize, message); err != nil {
				return
			}
		}
	}()
	data, control := make([]byte, messageSize), make([]byte, 128)
	for {
		at := time.Now()
		for have := 0; have < messageSize; {
			var size, controlSize int
			if raw.Read(func(fd uintptr) bool {
				size, controlSize, _, _, err = syscall.Recvmsg(int(fd), data[have:], control, 0)
				return err != syscall.EAGAIN
			}) != nil || err != nil || size == 0 {
				return
			}
			have += size
			at = time.Now()
			if stamped, ok := timestamp(control[:controlSize]); ok {
				at = stamped
			}
		}
		kind, uid, _ := strings.Cut(strings.TrimRight(string(data), " "), " ")
		told.tell(at, kind, uid, from, port)
	}
}

// timestamp is when the kernel took a packet in, which may be long before a busy program reads it.
func timestamp(control []byte) (time.Time, bool) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return time.Time{}, false
	}
	for _, message := range messages {
		if message.Header.Level == syscall.SOL_SOCKET && message.Header.Type == soTimestampNS {
			at := (*syscall.Timespec)(unsafe.Pointer(&message.Data[0]))
			return time.Unix(at.Unix()), true
		}
	}
	return time.Time{}, false
}

func listen(port int) *net.UDPConn {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
	if err != nil {
		fail("%v", err)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		fail("%v", err)
	}
	raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soTimestampNS, 1)
	})
	if err != nil {
		fail("%v", err)
	}
	return socket
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
