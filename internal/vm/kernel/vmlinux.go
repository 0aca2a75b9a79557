//go:build linux

// Unpacking an x86 kernel. QEMU can enter an uncompressed kernel directly (by
// its PVH entry point), which saves the emulated decompression at every boot.

package kernel

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// convert puts the kernel into dir in the form that boots fastest, and returns
// the file's name there.
func convert(ctx context.Context, arch, file, dir string) (string, error) {
	if arch == "amd64" {
		err := unpackBzImage(ctx, file, filepath.Join(dir, "vmlinux"))
		if err == nil {
			return "vmlinux", nil
		}
		// Not having the decompressor costs time only.
		fmt.Fprintf(os.Stderr, "vm: %v; booting the compressed kernel\n", err)
	}
	return "vmlinuz", os.Rename(file, filepath.Join(dir, "vmlinuz"))
}

// unpackBzImage writes the ELF file that is compressed inside a bzImage.
func unpackBzImage(ctx context.Context, file, dst string) error {
	image, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	payload, err := bzPayload(image)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	tool := ""
	switch {
	case bytes.HasPrefix(payload, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		tool = "zstd"
	case bytes.HasPrefix(payload, []byte{0x02, 0x21, 0x4c, 0x18}):
		tool = "lz4"
	default:
		return fmt.Errorf("%s: unknown compression, magic % x", filepath.Base(file), payload[:min(4, len(payload))])
	}
	out, err := os.Create(dst)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, tool, "-d", "-c")
	cmd.Stdin, cmd.Stdout = bytes.NewReader(payload), out
	if err := cmd.Run(); err != nil {
		os.Remove(dst)
		return fmt.Errorf("unpacking %s: %s: %w", filepath.Base(file), tool, err)
	}
	elf := make([]byte, 4)
	if _, err := out.ReadAt(elf, 0); err != nil && err != io.EOF || string(elf) != "\x7fELF" {
		os.Remove(dst)
		return fmt.Errorf("unpacking %s: the result is not an ELF file", filepath.Base(file))
	}
	return out.Close()
}

// bzPayload returns the compressed kernel in a bzImage, which the setup header
// locates since boot protocol 2.08.
func bzPayload(image []byte) ([]byte, error) {
	const (
		setupSects    = 0x1f1 // length of the real-mode code in sectors, without the boot sector
		headerMagic   = 0x202
		version       = 0x206
		payloadOffset = 0x248
		payloadLength = 0x24c
		headerEnd     = 0x250
	)
	le := binary.LittleEndian
	if len(image) < headerEnd || string(image[headerMagic:headerMagic+4]) != "HdrS" || le.Uint16(image[version:]) < 0x208 {
		return nil, fmt.Errorf("not a bzImage of boot protocol 2.08 or later")
	}
	start := (int64(image[setupSects])+1)*512 + int64(le.Uint32(image[payloadOffset:]))
	// The last four bytes are the unpacked size, which the decompressors do
	// not know about.
	end := start + int64(le.Uint32(image[payloadLength:])) - 4
	if end > int64(len(image)) || end < start+4 {
		return nil, fmt.Errorf("the payload is at %d to %d of %d bytes", start, end, len(image))
	}
	return image[start:end], nil
}
