/// Compiled kernels on disk, so that a formula is compiled once for an architecture, and not again in the next run.
///
/// An entry has two files. KEY.cu is the source as it was compiled; its first line, a comment, states architecture, options and compiler.
/// KEY.cubin is the cubin and 8 bytes of checksum. KEY is a hash of the source. A cubin counts only where the source beside it is the
/// wanted one and the checksum holds. So damaged entries, cut files and colliding keys are compiled again. Files are written under another
/// name and renamed: several processes may share a folder, and a kill leaves no half entry.
///
/// A folder is bounded. Beyond the bound the entries that were unused for longest are removed, until half of it is free.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "kernels/cuda/nvrtc.h"

namespace actsearch {

class CubinCache {
 public:
  static constexpr std::uintmax_t kBound = std::uintmax_t{512} << 20;  ///< bytes: some 10,000 formulas

  /// Creates the folder. std::runtime_error if that is not possible.
  explicit CubinCache(std::filesystem::path folder, std::uintmax_t bound = kBound);

  /// $XDG_CACHE_HOME/actsearch/cubin or ~/.cache/actsearch/cubin.
  static std::filesystem::path default_folder();

  struct Entry {
    std::string cubin;
    bool compiled = false;  ///< now, not found
  };
  /// The cubin, compiled where the folder has none. Throws what Nvrtc::compile does; an entry that cannot be written is no error.
  Entry get(const Nvrtc& nvrtc, const std::string& source, const std::string& architecture) const;

  /// Brings the folder below half of its bound where it exceeds it. The first entry written and every 64th after it do the same.
  void prune() const;

 private:
  std::filesystem::path folder_;
  std::uintmax_t bound_;
};

}  // namespace actsearch
