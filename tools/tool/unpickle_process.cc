#include "tools/tool/unpickle_process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "worker/device/thread_count.h"
#include "worker/weights/safetensors_writer.h"
#include "worker/weights/torch_file/torch_file.h"

namespace genzo {
namespace {

void Limit(__rlimit_resource resource, rlim_t most) {
  const rlimit limit = {most, most};
  setrlimit(resource, &limit);
}

absl::Status Unpickle(const std::string& path, const std::string& output) {
  const auto tensors = TorchFile::Open(path);
  if (!tensors.ok()) return tensors.status();
  return WriteSafetensors(output, **tensors, {.metadata = {{"format", "pt"}}});
}

[[noreturn]] void BeChild(const std::string& path, const std::string& output,
                          int told) {
  // Nothing that the file could bring about outlives these.
  constexpr rlim_t kGigabyte = rlim_t{1} << 30;
  constexpr rlim_t kSeconds = 3600;
  std::error_code ignored;
  const rlim_t file_bytes = std::filesystem::file_size(path, ignored);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_CPU, kSeconds);
  // No threads, no programs. (Root is not bound by it.)
  Limit(RLIMIT_NPROC, 0);
  Limit(RLIMIT_FSIZE, file_bytes + kGigabyte);
  // LibTorch is mapped already; one storage is in memory at a time.
  Limit(RLIMIT_AS, 2 * file_bytes + 8 * kGigabyte);
  UseThreads(1);
  std::string message;
  try {
    const absl::Status status = Unpickle(path, output);
    message = std::string(status.message());
    if (status.ok()) _exit(0);
  } catch (const std::exception& e) {
    message = absl::StrCat(path, ": ", e.what());
  }
  message.resize(std::min<size_t>(message.size(), 2000));
  // A pipe takes this much at once.
  _exit(write(told, message.data(), message.size()) < 0 ? 2 : 1);
}

}  // namespace

bool IsPickle(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension();
  return extension == ".ckpt" || extension == ".pt" || extension == ".pth" ||
         extension == ".bin";
}

absl::Status UnpickleInChild(const std::string& path,
                             const std::string& output) {
  int ends[2];
  if (pipe(ends) != 0) {
    return absl::UnavailableError(
        absl::StrCat("no pipe: ", std::strerror(errno)));
  }
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    BeChild(path, output, ends[1]);
  }
  close(ends[1]);
  std::string message;
  char buffer[512];
  ssize_t count = 0;
  while (child > 0 && (count = read(ends[0], buffer, sizeof buffer)) > 0) {
    message.append(buffer, static_cast<size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    return absl::UnavailableError(
        absl::StrCat("no child process: ", std::strerror(errno)));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  std::error_code ignored;
  std::filesystem::remove(output + ".part", ignored);
  if (WIFSIGNALED(status)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": reading it was ended by signal ",
                     WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")"));
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace genzo
