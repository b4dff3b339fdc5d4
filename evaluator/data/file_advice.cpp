#include "evaluator/data/file_advice.h"

#include <cerrno>

namespace actsearch {

std::string file_advice(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "; the disk or your share of it is full: free some space and run the command again, what was finished is kept";
    case EFBIG:
      return "; a limit on file sizes allows no more (`ulimit -f` shows it): raise it and run the command again, what was finished is kept";
    case EIO:
      return "; the disk failed: check it, then run the command again";
    case EACCES:
    case EPERM:
      return "; allow writing to it and its directory, or choose another place";
    case EROFS:
      return "; the file system is read-only: choose another place";
    case ENOENT:
      return "; it or its directory is not there: create the directory, or choose another place";
    case ENOTDIR:
      return "; a file is in the way where a directory is wanted: move it, or choose another place";
    case EISDIR:
    case EEXIST:
      return "; something of that name is in the way: move it, or choose another place";
    case EMFILE:
    case ENFILE:
      return "; too many files are open (`ulimit -n` shows the limit): raise it, or run fewer jobs";
    case ENAMETOOLONG:
      return "; choose a shorter name";
  }
  return "";
}

std::string plain_text(const std::filesystem::filesystem_error& error) {
  const std::string file = error.path1().empty() ? error.path2().string() : error.path1().string();
  return (file.empty() ? "a file" : file) + ": " + error.code().message() + file_advice(error.code().value());
}

}  // namespace actsearch
