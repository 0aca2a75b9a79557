// What signals.c and after.c have for each other and for shim.c.
#include <signal.h>

void uringgo_enter(void); // makes sure that the runtime runs and knows the thread
void uringgo_restore_signals(void);
extern sigset_t uringgo_mask; // the loading thread's, before the runtime starts
