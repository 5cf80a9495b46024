// A folder for the socket files of one test, removed with what is in it.
#pragma once

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

class TemporaryFolder {
 public:
  TemporaryFolder() { made_ = ::mkdtemp(path_) != nullptr; }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    DIR* folder = made_ ? ::opendir(path_) : nullptr;
    if (folder == nullptr) return;
    while (const dirent* entry = ::readdir(folder)) ::unlink(Path(entry->d_name).c_str());
    ::closedir(folder);
    ::rmdir(path_);
  }

  [[nodiscard]] std::string Path(const std::string& name) const { return std::string(path_) + "/" + name; }

 private:
  char path_[32] = "/tmp/fourseven-native-XXXXXX";
  bool made_ = false;
};
