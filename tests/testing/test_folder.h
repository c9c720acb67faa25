#ifndef GENZO_TESTS_TESTING_TEST_FOLDER_H_
#define GENZO_TESTS_TESTING_TEST_FOLDER_H_

#include <string>

namespace genzo {

// The tiny Stable Diffusion model with random weights among the test data.
std::string TinyModelFolder();

// A file or folder of the repository: of the folder that GENZO_SOURCE_DIR names
// in the environment, as on machines that have the test alone, else of the one
// that this was built from.
std::string SourcePath(const std::string& relative);

// A folder of this test's own, empty at first, removed at the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();

  const std::string& path() const { return path_; }

  // Return the path.
  std::string Write(const std::string& name, const std::string& bytes) const;
  std::string CopyTinyModel() const;

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_TEST_FOLDER_H_
