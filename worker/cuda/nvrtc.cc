#include "worker/cuda/nvrtc.h"

#include <dlfcn.h>

#include "c10/util/Exception.h"

namespace genzo {
namespace {

// Of CUDA 13, as LibTorch's wheel brings it. nvrtc.h is in another wheel, which
// nothing else here needs, and linking the library would keep ours from loading
// where only a compiler is missing: so these are NVRTC's few functions by name.
constexpr char kLibrary[] = "libnvrtc.so.13";
constexpr char kBuiltins[] = "libnvrtc-builtins.so.13.0";
using Program = struct OpaqueProgram*;
using Result = int;  // 0: success

// Opened once, and then open as long as the process lives: kernels are compiled
// whenever a new kind is needed.
struct Library {
  // NVRTC asks for its other half by name and has no path to it. Where that is
  // missing, NVRTC says so.
  void* const builtins = dlopen(kBuiltins, RTLD_NOW);
  void* const handle = dlopen(kLibrary, RTLD_NOW);
  const std::string error = handle == nullptr ? dlerror() : "";
};

template <typename Function>
Function* Find(const char* name) {
  static const Library library;
  TORCH_CHECK(library.handle != nullptr,
              "CUDA's compiler is missing: ", library.error);
  void* const function = dlsym(library.handle, name);
  TORCH_CHECK(function != nullptr, kLibrary, " has no ", name);
  return reinterpret_cast<Function*>(function);
}

void Check(Result result, const char* what) {
  if (result == 0) return;
  const auto* const text =
      Find<const char*(Result)>("nvrtcGetErrorString")(result);
  TORCH_CHECK(false, what, ": ", text);
}

// What one of NVRTC's pairs of functions, for size and contents, tells.
std::string Read(Program program, const char* size_name, const char* name) {
  size_t size = 0;
  Check(Find<Result(Program, size_t*)>(size_name)(program, &size), size_name);
  std::string contents(size, '\0');
  Check(Find<Result(Program, char*)>(name)(program, contents.data()), name);
  return contents;
}

class ScopedProgram {
 public:
  explicit ScopedProgram(const std::string& source) {
    const auto create =
        Find<Result(Program*, const char*, const char*, int, const char* const*,
                    const char* const*)>("nvrtcCreateProgram");
    Check(create(&program_, source.c_str(), "genzo.cu", 0, nullptr, nullptr),
          "nvrtcCreateProgram");
  }
  ~ScopedProgram() { Find<Result(Program*)>("nvrtcDestroyProgram")(&program_); }
  ScopedProgram(const ScopedProgram&) = delete;
  ScopedProgram& operator=(const ScopedProgram&) = delete;

  Program get() const { return program_; }

 private:
  Program program_ = nullptr;
};

}  // namespace

std::string CompileCuda(const std::string& source,
                        const std::string& architecture,
                        const std::vector<std::string>& definitions) {
  std::vector<std::string> options = {"--gpu-architecture=sm_" + architecture,
                                      "--std=c++17"};
  for (const std::string& definition : definitions) {
    options.push_back("-D" + definition);
  }
  std::vector<const char*> texts;
  texts.reserve(options.size());
  for (const std::string& option : options) texts.push_back(option.c_str());
  const ScopedProgram program(source);
  const auto compile =
      Find<Result(Program, int, const char* const*)>("nvrtcCompileProgram");
  const Result compiled =
      compile(program.get(), static_cast<int>(texts.size()), texts.data());
  TORCH_CHECK(
      compiled == 0, "a CUDA kernel does not compile for sm_", architecture,
      ": ",
      Read(program.get(), "nvrtcGetProgramLogSize", "nvrtcGetProgramLog"));
  return Read(program.get(), "nvrtcGetCUBINSize", "nvrtcGetCUBIN");
}

}  // namespace genzo
