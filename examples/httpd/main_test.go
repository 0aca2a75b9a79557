package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// certificate makes a certificate for 127.0.0.1, in two files.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "httpd"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(os.WriteFile(cert, certPEM, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

// A client of package net/http gets the files, whole and in parts, and the program
// ends when it is told to.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "big"), big, 0o600),
		os.WriteFile(filepath.Join(dir, "small"), big[:100], 0o600)); err != nil {
		t.Fatal(err)
	}
	cert, key, pool := certificate(t)
	for _, v := range []struct {
		name, scheme, proto string
		options             options
	}{
		{"HTTP", "http", "HTTP/1.1", options{}},
		{"HTTPS", "https", "HTTP/2.0", options{cert: cert, key: key}},
		{"package net", "http", "HTTP/1.1", options{plain: true}},
	} {
		t.Run(v.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			v.options.address, v.options.dir = "127.0.0.1:0", dir
			where := make(chan net.Addr, 1)
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, v.options, func(a net.Addr) { where <- a }) }()
			var base string
			select {
			case a := <-where:
				base = v.scheme + "://" + a.String()
			case err := <-ended:
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				}
				t.Fatal(err)
			}
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			get := func(path, part string, want []byte) {
				q, err := http.NewRequest("GET", base+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if part != "" {
					q.Header.Set("Range", part)
				}
				r, err := client.Do(q)
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Body.Close()
				if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, want) || r.Proto != v.proto {
					t.Errorf("%s %s: %d bytes, not %d, over %s: %v", path, part, len(got), len(want), r.Proto, err)
				}
			}
			var crowd sync.WaitGroup
			for range 8 {
				crowd.Go(func() {
					get("/small", "", big[:100])
					get("/big", "", big)
					get("/big", "bytes=1000-500000", big[1000:500001])
				})
			}
			crowd.Wait()
			stop()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("it does not end")
			}
		})
	}
}
