// What signals.c and after.c have for each other and for shim.c.
#include <signal.h>

void uringgo_restore_signals(void);
extern sigset_t uringgo_mask; // the loading thread's, before the runtime starts
