//go:build linux

package ringnet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/uring-go/uring/ringnet"
)

// handler answers with what it was sent, or streams, or sleeps until the client is
// gone.
func handler(gone chan<- struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Remote", r.RemoteAddr)
		w.Header().Set("Proto", r.Proto)
		body, err := io.ReadAll(r.Body) // before HTTP/1 writes: it is not full duplex
		if err != nil {
			panic(err)
		}
		w.Write(body)
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		for i := range 20 {
			fmt.Fprintf(w, "line %d\n", i)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		gone <- struct{}{}
	})
	return mux
}

// serve starts a server of package httptest on our listener.
func serve(t *testing.T, n *ringnet.Net, h http.Handler, start func(*httptest.Server)) (*httptest.Server, *http.Client) {
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = listen(t, n, "tcp")
	start(s)
	t.Cleanup(s.Close)
	c := s.Client()
	c.Transport.(*http.Transport).DialContext = n.DialContext
	return s, c
}

func post(t *testing.T, c *http.Client, url string, body []byte) *http.Response {
	t.Helper()
	r, err := c.Post(url, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("%d bytes came back of %d, %v", len(got), len(body), err)
	}
	return r
}

func TestHTTP(t *testing.T) {
	for _, v := range []struct {
		name, proto string
		start       func(*httptest.Server)
	}{
		{"plain", "HTTP/1.1", (*httptest.Server).Start},
		{"TLS", "HTTP/1.1", (*httptest.Server).StartTLS},
		{"HTTP2", "HTTP/2.0", func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }},
	} {
		t.Run(v.name, func(t *testing.T) {
			each(t, func(t *testing.T, n *ringnet.Net) {
				gone := make(chan struct{}, 1)
				s, c := serve(t, n, handler(gone), v.start)
				body := make([]byte, 1<<20)
				for i := range body {
					body[i] = byte(i * i >> 3)
				}
				for _, size := range []int{0, 1, 1000, 65536, len(body)} {
					r := post(t, c, s.URL+"/echo", body[:size])
					if r.Header.Get("Proto") != v.proto {
						t.Errorf("the server saw %s, not %s", r.Header.Get("Proto"), v.proto)
					}
					if a, err := net.ResolveTCPAddr("tcp", r.Header.Get("Remote")); err != nil || a.Port == 0 {
						t.Errorf("the client's address is %q: %v", r.Header.Get("Remote"), err)
					}
				}
				r, err := c.Get(s.URL + "/stream")
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err != nil || strings.Count(string(text), "\n") != 20 {
					t.Errorf("%q, %v", text, err)
				}
				// A client that goes away is noticed, also while the handler runs.
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(20*time.Millisecond, cancel)
				q, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/hang", nil)
				if _, err := c.Do(q); !errors.Is(err, context.Canceled) {
					t.Errorf("the cancelled request: %v", err)
				}
				select {
				case <-gone:
				case <-time.After(10 * time.Second):
					t.Error("the server did not notice that the client is gone")
				}
				var crowd sync.WaitGroup
				for i := range 50 {
					crowd.Go(func() {
						for k := range 5 {
							if r, err := c.Post(s.URL+"/echo", "", bytes.NewReader(body[i*100:i*100+k*5000])); err != nil {
								t.Error(err)
							} else {
								got, err := io.ReadAll(r.Body)
								r.Body.Close()
								if err != nil || crc32.ChecksumIEEE(got) != crc32.ChecksumIEEE(body[i*100:i*100+k*5000]) {
									t.Errorf("%d bytes, %v", len(got), err)
								}
							}
						}
					})
				}
				crowd.Wait()
			})
		})
	}
}

// A handshake that never comes is ended by the deadline.
func TestTLSDeadline(t *testing.T) {
	each(t, func(t *testing.T, n *ringnet.Net) {
		l := listen(t, n, "tcp")
		a, b, err := pipe(n, l)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		c := tls.Client(a, &tls.Config{ServerName: "nobody"})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if err := c.HandshakeContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A grpc server and client, unary and streaming, with a deadline and a cancellation.
func TestGRPC(t *testing.T) {
	each(t, func(t *testing.T, n *ringnet.Net) {
		l := listen(t, n, "tcp")
		s := grpc.NewServer()
		h := health.NewServer()
		healthpb.RegisterHealthServer(s, h)
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return n.DialContext(ctx, "tcp", address)
			}))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := healthpb.NewHealthClient(conn)
		var crowd sync.WaitGroup
		for range 20 {
			crowd.Go(func() {
				for range 20 {
					r, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{})
					if err != nil || r.Status != healthpb.HealthCheckResponse_SERVING {
						t.Errorf("%v, %v", r, err)
					}
				}
			})
		}
		crowd.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		watch, err := c.Watch(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			want := healthpb.HealthCheckResponse_SERVING
			if i%2 == 1 {
				want = healthpb.HealthCheckResponse_NOT_SERVING
			}
			h.SetServingStatus("", want)
			if r, err := watch.Recv(); err != nil || r.Status != want {
				t.Fatalf("%d: %v, %v; not %v", i, r, err, want)
			}
		}
		cancel()
		if _, err := watch.Recv(); status.Code(err) != codes.Canceled {
			t.Errorf("after cancel: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if watch, err = c.Watch(ctx, &healthpb.HealthCheckRequest{}); err == nil {
			for err == nil {
				_, err = watch.Recv()
			}
		}
		// The server has the deadline too, and says Canceled if it is the first to notice.
		if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Canceled {
			t.Errorf("after the deadline: %v", err)
		}
		conn.Close()
		s.GracefulStop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}
