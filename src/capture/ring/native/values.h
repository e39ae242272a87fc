// Small helpers between JavaScript values and C++: named numbers, texts and byte arrays of an
// options object, and errors. Nothing of networks.

#ifndef MAILWEIR_VALUES_H
#define MAILWEIR_VALUES_H

#include <node_api.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

/** Throws an Error whose `code` is the name of errno's value and whose message says the step. */
inline napi_value fail(napi_env env, const char* step, int error) {
  std::string text = std::string(step) + ": " + strerror(error);
  const char* code = error == EPERM || error == EACCES ? "EPERM"
                     : error == ENODEV || error == ENXIO ? "ENODEV"
                     : error == ENOMEM || error == ENOBUFS ? "ENOMEM"
                     : error == EINVAL ? "EINVAL"
                                       : "EIO";
  napi_throw_error(env, code, text.c_str());
  return nullptr;
}

inline napi_value member(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  napi_get_named_property(env, object, name, &value);
  return value;
}

/** A number of an options object; `otherwise` where it is none. */
inline double number_of(napi_env env, napi_value object, const char* name, double otherwise) {
  double value = otherwise;
  napi_get_value_double(env, member(env, object, name), &value);
  return value;
}

inline bool flag_of(napi_env env, napi_value object, const char* name) {
  bool value = false;
  napi_get_value_bool(env, member(env, object, name), &value);
  return value;
}

inline std::string text_of(napi_env env, napi_value object, const char* name) {
  char text[256] = "";
  size_t length = 0;
  napi_get_value_string_utf8(env, member(env, object, name), text, sizeof text, &length);
  return std::string(text, length);
}

/** The bytes of a Uint8Array of an options object; none where it is null. */
struct Bytes {
  void* data = nullptr;
  size_t length = 0;
};

inline Bytes bytes_of(napi_env env, napi_value object, const char* name) {
  Bytes bytes;
  napi_value value = member(env, object, name);
  bool typed = false;
  napi_is_typedarray(env, value, &typed);
  if (typed) {
    napi_get_typedarray_info(env, value, nullptr, &bytes.length, &bytes.data, nullptr, nullptr);
  }
  return bytes;
}

inline void define(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

void define_ring(napi_env env, napi_value exports);
void define_privileges(napi_env env, napi_value exports);

#endif
