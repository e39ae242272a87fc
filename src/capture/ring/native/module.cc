// The addon's door. It is context-aware: every thread that loads it has its own rings.

#include "values.h"

NAPI_MODULE_INIT() {
  define_ring(env, exports);
  define_privileges(env, exports);
  return exports;
}
