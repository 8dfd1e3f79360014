// Command yamux-go speaks hashicorp's yamux as either end of connections that it dials, and does with their streams what lines of
// JSON on its standard input say. Each line has an id, and is answered by one line with that id, when it is done: lines that wait for
// bytes do not hold up those behind them. It ends with its input. test/support/yamux-go.ts is the other end.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// A command; which fields count depends on Op.
type command struct {
	ID      int    `json:"id"`
	Op      string `json:"op"`
	Session int    `json:"session"`
	Stream  uint32 `json:"stream"`

	// dial
	Port           int    `json:"port"`
	Role           string `json:"role"`
	AcceptBacklog  int    `json:"acceptBacklog"`
	WindowBytes    uint32 `json:"windowBytes"`
	CloseTimeoutMs int    `json:"closeTimeoutMs"`

	// write, read: how much (read: negative for all until the end), in pieces of how much, and what pause after each
	Bytes      int    `json:"bytes"`
	PieceBytes int    `json:"pieceBytes"`
	PauseUs    int    `json:"pauseUs"`
	Seed       uint64 `json:"seed"`
}

type answer struct {
	ID     int    `json:"id"`
	Error  string `json:"error,omitempty"`
	Stream uint32 `json:"stream,omitempty"`
	// write, read: what was really written or read
	Bytes  int    `json:"bytes"`
	Sha256 string `json:"sha256,omitempty"`
	// read: how it came to its end: "enough", "end" or "reset"
	Ended string `json:"ended,omitempty"`
	// status
	Streams int      `json:"streams"`
	Closed  bool     `json:"closed"`
	Faults  []string `json:"faults,omitempty"`
	RttUs   int64    `json:"rttUs,omitempty"`
}

// A session, and what its library has called an error.
type session struct {
	*yamux.Session
	lock    sync.Mutex
	streams map[uint32]*yamux.Stream
	faults  []string
}

// Write takes the library's log: one call, one line.
func (s *session) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "[ERR]") {
		s.lock.Lock()
		s.faults = append(s.faults, strings.TrimSpace(string(line)))
		s.lock.Unlock()
	}
	return len(line), nil
}

func (s *session) add(stream *yamux.Stream) uint32 {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.streams[stream.StreamID()] = stream
	return stream.StreamID()
}

func (s *session) find(id uint32) (*yamux.Stream, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if stream := s.streams[id]; stream != nil {
		return stream, nil
	}
	return nil, fmt.Errorf("no stream %d", id)
}

type program struct {
	lock     sync.Mutex
	sessions map[int]*session
	answers  *json.Encoder
}

func (p *program) say(a answer) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if err := p.answers.Encode(a); err != nil {
		os.Exit(1)
	}
}

func (p *program) run(c command) answer {
	a, err := p.do(c)
	a.ID = c.ID
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func (p *program) do(c command) (answer, error) {
	if c.Op == "dial" {
		return answer{}, p.dial(c)
	}
	p.lock.Lock()
	s := p.sessions[c.Session]
	p.lock.Unlock()
	if s == nil {
		return answer{}, fmt.Errorf("no session %d", c.Session)
	}
	switch c.Op {
	case "open":
		stream, err := s.OpenStream()
		if err != nil {
			return answer{}, err
		}
		return answer{Stream: s.add(stream)}, nil
	case "accept":
		stream, err := s.AcceptStream()
		if err != nil {
			return answer{}, err
		}
		return answer{Stream: s.add(stream)}, nil
	case "ping":
		// Timed here: yamux starts its own clock after the write, and an answer that is there by then took no time at all.
		asked := time.Now()
		_, err := s.Ping()
		return answer{RttUs: time.Since(asked).Microseconds()}, err
	case "goAway":
		return answer{}, s.GoAway()
	case "end":
		return answer{}, s.Close()
	case "status":
		s.lock.Lock()
		defer s.lock.Unlock()
		return answer{Streams: s.NumStreams(), Closed: s.IsClosed(), Faults: s.faults}, nil
	}
	stream, err := s.find(c.Stream)
	if err != nil {
		return answer{}, err
	}
	switch c.Op {
	case "write":
		return write(stream, c)
	case "read":
		return read(stream, c)
	case "close":
		return answer{}, stream.Close()
	}
	return answer{}, fmt.Errorf("no operation %q", c.Op)
}

func (p *program) dial(c command) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.Port))
	if err != nil {
		return err
	}
	s := &session{streams: map[uint32]*yamux.Stream{}}
	config := yamux.DefaultConfig()
	config.LogOutput = nil
	config.Logger = log.New(s, "", 0)
	config.AcceptBacklog = c.AcceptBacklog
	config.MaxStreamWindowSize = c.WindowBytes
	config.StreamCloseTimeout = time.Duration(c.CloseTimeoutMs) * time.Millisecond
	if c.Role == "client" {
		s.Session, err = yamux.Client(conn, config)
	} else {
		s.Session, err = yamux.Server(conn, config)
	}
	if err != nil {
		return err
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.sessions[c.Session] = s
	return nil
}

// What it writes follows from the seed; its hash is of what the library took.
func write(stream *yamux.Stream, c command) (answer, error) {
	random := rand.NewChaCha8([32]byte{byte(c.Seed), byte(c.Seed >> 8), byte(c.Seed >> 16), byte(c.Seed >> 24)})
	hash := sha256.New()
	written := 0
	piece := make([]byte, c.PieceBytes)
	for written < c.Bytes {
		part := piece[:min(len(piece), c.Bytes-written)]
		if _, err := random.Read(part); err != nil {
			return answer{}, err
		}
		n, err := stream.Write(part)
		hash.Write(part[:n])
		written += n
		if err != nil {
			return answer{Bytes: written}, err
		}
		time.Sleep(time.Duration(c.PauseUs) * time.Microsecond)
	}
	return answer{Bytes: written, Sha256: hex.EncodeToString(hash.Sum(nil))}, nil
}

func read(stream *yamux.Stream, c command) (answer, error) {
	hash := sha256.New()
	done := 0
	piece := make([]byte, c.PieceBytes)
	a := answer{Ended: "enough"}
	for c.Bytes < 0 || done < c.Bytes {
		part := piece
		if c.Bytes >= 0 {
			part = piece[:min(len(piece), c.Bytes-done)]
		}
		n, err := stream.Read(part)
		hash.Write(part[:n])
		done += n
		if errors.Is(err, io.EOF) {
			a.Ended = "end"
			break
		}
		if errors.Is(err, yamux.ErrConnectionReset) {
			a.Ended = "reset"
			break
		}
		if err != nil {
			return answer{Bytes: done}, err
		}
		time.Sleep(time.Duration(c.PauseUs) * time.Microsecond)
	}
	a.Bytes, a.Sha256 = done, hex.EncodeToString(hash.Sum(nil))
	return a, nil
}

func main() {
	p := &program{sessions: map[int]*session{}, answers: json.NewEncoder(os.Stdout)}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, "yamux-go:", err)
			os.Exit(2)
		}
		go func() { p.say(p.run(c)) }()
	}
}
