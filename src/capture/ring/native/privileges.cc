// Giving up what a process no longer needs.
#include "values.h"
void define_privileges(napi_env env, napi_value exports) { (void)env; (void)exports; }
