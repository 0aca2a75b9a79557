// liburing's header, or a sentence if there is none, and its version.

#if !__has_include(<liburing.h>)
#error "internal/cref compares with liburing and <liburing.h> was not found: install liburing-dev (Debian, Ubuntu), liburing-devel (Fedora) or liburing (Arch, Alpine: liburing-dev), name its directory with CGO_CFLAGS=-I..., or leave C out with -tags uringgo or CGO_ENABLED=0"
#endif
#include <liburing.h>

// 2.4 brought version numbers into the headers. What has none is 2.3, the oldest
// that is supported.
#ifndef IO_URING_VERSION_MAJOR
#define IO_URING_VERSION_MAJOR 2
#define IO_URING_VERSION_MINOR 3
#endif

#define LIBURING_AT_LEAST(major, minor) \
	(IO_URING_VERSION_MAJOR > (major) || (IO_URING_VERSION_MAJOR == (major) && IO_URING_VERSION_MINOR >= (minor)))
