{
  "targets": [
    {
      "target_name": "ring",
      "sources": ["module.cc", "ring.cc", "privileges.cc"],
      "cflags_cc": ["-std=c++17", "-O2", "-Wall", "-Wextra"],
      "defines": ["NAPI_VERSION=8"]
    }
  ]
}
