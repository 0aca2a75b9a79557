//go:build linux

// Fetching packages with apt-get, whose index and state live in a directory of
// our own: the machine's sources, lists and package state stay as they are.
// apt-get checks the archive's signature and every package's checksum.

package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// MirrorVariable names the environment variable with the address of a Debian
// mirror, for a machine whose own apt does not use one.
const MirrorVariable = "URING_VM_MIRROR"

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// An archive is one suite for one architecture.
type archive struct {
	dir         string
	suite, arch string
}

// openArchive prepares dir for the suite and brings its index up to date,
// unless that was done within the last hour.
func openArchive(ctx context.Context, dir, suite, arch string) (*archive, error) {
	a := &archive{dir: filepath.Join(dir, suite+"-"+arch), suite: suite, arch: arch}
	stamp := filepath.Join(a.dir, "updated")
	if st, err := os.Stat(stamp); err == nil && time.Since(st.ModTime()) < time.Hour {
		return a, nil
	}
	mirror, err := mirror(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(keyring); err != nil {
		return nil, fmt.Errorf("the keys of Debian's archive are missing (package debian-archive-keyring): %w", err)
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, suite)
	for name, text := range map[string]string{"sources.list": source, "status": ""} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	// Without the switch an index that could not be had is a warning only.
	if _, err := a.run(ctx, a.dir, "apt-get", "-qq", "update", "--error-on=any"); err != nil {
		return nil, fmt.Errorf("index of %s for %s: %w", suite, arch, err)
	}
	return a, os.WriteFile(stamp, nil, 0o644)
}

// names lists the packages whose names start with prefix.
func (a *archive) names(ctx context.Context, prefix string) ([]string, error) {
	out, err := a.run(ctx, a.dir, "apt-cache", "pkgnames", prefix)
	return strings.Fields(out), err
}

// version returns the version of a package.
func (a *archive) version(ctx context.Context, pkg string) (string, error) {
	out, err := a.run(ctx, a.dir, "apt-cache", "show", "--no-all-versions", pkg)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if v, ok := strings.CutPrefix(line, "Version: "); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", fmt.Errorf("%s in %s has no version", pkg, a.suite)
}

// unpack fetches a package into the directory tmp and unpacks it into dst.
func (a *archive) unpack(ctx context.Context, pkg, tmp, dst string) error {
	if _, err := a.run(ctx, tmp, "apt-get", "-qq", "download", pkg); err != nil {
		return fmt.Errorf("package %s of %s: %w", pkg, a.suite, err)
	}
	debs, _ := filepath.Glob(filepath.Join(tmp, pkg+"_*.deb"))
	if len(debs) != 1 {
		return fmt.Errorf("package %s of %s: apt-get left %d files, want one", pkg, a.suite, len(debs))
	}
	defer os.Remove(debs[0])
	_, err := run(ctx, tmp, "dpkg", "-x", debs[0], dst)
	return err
}

// run runs one of apt's commands on the archive in the directory dir.
func (a *archive) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	options := []string{
		"Dir::State=" + a.dir,
		"Dir::State::status=" + a.dir + "/status",
		"Dir::State::lists=" + a.dir + "/lists",
		"Dir::Cache=" + a.dir + "/cache",
		"Dir::Etc::sourcelist=" + a.dir + "/sources.list",
		"Dir::Etc::sourceparts=/dev/null",
		"Dir::Etc::preferencesparts=/dev/null",
		"APT::Architecture=" + a.arch,
		"APT::Architectures=" + a.arch,
		"APT::Sandbox::User=root", // files go to places that only we may write
		"Acquire::Languages=none",
		"Acquire::Retries=3",
	}
	for _, o := range slices.Backward(options) {
		args = append([]string{"-o", o}, args...)
	}
	return run(ctx, dir, name, args...)
}

// mirror returns the address of a Debian mirror: the one that the machine uses,
// if it runs Debian.
func mirror(ctx context.Context) (string, error) {
	if m := os.Getenv(MirrorVariable); m != "" {
		return m, nil
	}
	out, err := run(ctx, "", "apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	if m := debianSite(out); m != "" {
		return m, nil
	}
	return "", fmt.Errorf("this machine's apt has no index of Debian: run apt-get update, or set %s to the address of a mirror", MirrorVariable)
}

// debianSite finds the mirror in lines of the form ORIGIN|LABEL|SITE. The label
// tells the main archive from the security archive, which has other suites.
func debianSite(lines string) string {
	for line := range strings.Lines(lines) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) == 3 && f[0] == "Debian" && (f[1] == "Debian" || f[1] == "Debian Backports") && f[2] != "" {
			return f[2]
		}
	}
	return ""
}

// run runs a command and returns what it printed; the error has its complaints.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%s is not installed", name)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	text := ""
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		text = ": " + strings.TrimSpace(string(exit.Stderr))
	}
	return "", fmt.Errorf("%s: %w%s", name, err, text)
}
