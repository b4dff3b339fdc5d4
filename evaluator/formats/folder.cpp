#include "evaluator/formats/folder.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <exception>

#include "evaluator/data/md5.h"
#include "evaluator/formats/files.h"
#include "evaluator/formats/folder_cache.h"
#include "evaluator/formats/pictures.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

/// A picture to be decoded, and what came of it.
struct Entry {
  fs::path file;
  Label label = 0;
  int channels = 0;
  std::vector<std::uint8_t> pixels;
  std::string error;  ///< empty where it was read
};

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// The folders in a folder, by name.
std::vector<std::string> folders_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.is_directory() && !hidden(entry.path())) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// All pictures of the classes below `directory`, class by class and by name.
std::vector<Entry> entries_of(const fs::path& directory, const std::vector<std::string>& classes) {
  std::vector<Entry> all;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const fs::path folder = directory / classes[label];
    std::vector<fs::path> files;
    if (fs::is_directory(folder)) {
      for (auto at = fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink); at != fs::end(at); ++at) {
        if (hidden(at->path())) {
          if (at->is_directory()) at.disable_recursion_pending();
        } else if (at->is_regular_file()) {
          files.push_back(at->path());
        }
      }
    }
    std::sort(files.begin(), files.end());
    for (fs::path& file : files) all.push_back({std::move(file), static_cast<Label>(label), 0, {}, ""});
  }
  return all;
}

struct Listing {
  std::vector<std::string> classes;
  std::vector<Entry> train, test;
  bool has_test = false;
};

void require_classes(const fs::path& directory, const std::vector<std::string>& classes) {
  if (classes.size() >= static_cast<std::size_t>(ImageShape::kLeastClasses)) return;
  throw DataError(quoted(directory) + " has " + (classes.empty() ? "no class folder" : "a single class folder, " + classes.front()) +
                  ": make a folder of pictures for each of at least two classes");
}

void require_pictures(const fs::path& directory, const std::vector<std::string>& classes, const std::vector<Entry>& entries) {
  for (std::size_t label = 0; label < classes.size(); ++label) {
    if (std::none_of(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.label == label; })) {
      throw DataError(quoted(directory / classes[label]) + " has no pictures: put some into it, or remove it");
    }
  }
}

Listing list(const fs::path& directory) {
  const fs::path below = directory / "train";
  const fs::path root = fs::is_directory(below) ? below : directory;
  Listing listing;
  listing.classes = folders_in(root);
  require_classes(root, listing.classes);
  listing.train = entries_of(root, listing.classes);
  require_pictures(root, listing.classes, listing.train);
  for (const char* const name : {"test", "val"}) {
    const fs::path held_out = directory / name;
    if (root == directory || listing.has_test || !fs::is_directory(held_out)) continue;
    listing.has_test = true;
    for (const std::string& folder : folders_in(held_out)) {
      if (!std::binary_search(listing.classes.begin(), listing.classes.end(), folder)) {
        throw DataError(quoted(held_out / folder) + " is a class that " + quoted(root) + " does not have: add it there, or remove it here");
      }
    }
    listing.test = entries_of(held_out, listing.classes);
    if (listing.test.empty()) throw DataError(quoted(held_out) + " has no pictures: put some into its class folders, or remove it");
  }
  return listing;
}

/// A name for what the listing would give: it covers names, sizes, times, the side and whether the unreadable are left out.
std::string key_of(const fs::path& directory, const Listing& listing, int side, bool skip) {
  std::string text = "2 side " + std::to_string(side) + (skip ? " skip" : "") + (listing.has_test ? " test" : "") + "\n";
  for (const std::string& name : listing.classes) text += name + "\n";
  for (const auto* entries : {&listing.train, &listing.test}) {
    text += "set\n";
    for (const Entry& entry : *entries) {
      text += entry.file.lexically_relative(directory).string() + "\t" + std::to_string(fs::file_size(entry.file)) + "\t" +
              std::to_string(fs::last_write_time(entry.file).time_since_epoch().count()) + "\n";
    }
  }
  return md5_hex(text.data(), text.size());
}

void decode(std::vector<Entry>& entries, int side) {
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, entries.size(), 16), [&](const tbb::blocked_range<std::size_t>& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) {
      try {
        const Picture picture = read_picture(entries[i].file);
        entries[i].channels = picture.channels;
        entries[i].pixels = squared(picture, side);
      } catch (const DataError& error) {
        entries[i].error = error.what();
      }
    }
  });
}

/// Takes out what could not be read: an error, or messages where it is to be left out.
void drop_unreadable(std::vector<Entry>& entries, bool skip, std::vector<std::string>& skipped) {
  const auto bad = static_cast<std::size_t>(std::count_if(entries.begin(), entries.end(), [](const Entry& e) { return !e.error.empty(); }));
  for (const Entry& entry : entries) {
    if (entry.error.empty()) continue;
    if (!skip) {
      throw DataError(entry.error + (bad > 1 ? " (and " + std::to_string(bad - 1) + " more cannot be read)" : "") +
                      "; replace it, remove it, or leave out what cannot be read with --skip-unreadable");
    }
    skipped.push_back(entry.error);
  }
  std::erase_if(entries, [](const Entry& entry) { return !entry.error.empty(); });
}

/// The channels that all pictures have.
int common_channels(const Listing& listing) {
  const Entry* grey = nullptr;
  const Entry* colour = nullptr;
  std::size_t greys = 0, colours = 0;
  for (const auto* entries : {&listing.train, &listing.test}) {
    for (const Entry& entry : *entries) {
      const Entry*& first = entry.channels == 1 ? grey : colour;
      if (first == nullptr) first = &entry;
      ++(entry.channels == 1 ? greys : colours);
    }
  }
  if (grey != nullptr && colour != nullptr) {
    const bool few_greys = greys <= colours;
    throw DataError(quoted((few_greys ? grey : colour)->file) +
                    (few_greys ? " is grey among pictures in colour (" : " is in colour among grey pictures (") + std::to_string(greys) +
                    " grey, " + std::to_string(colours) + " in colour): convert all to grey, or all to colour");
  }
  return grey != nullptr ? 1 : 3;
}

ImageSet gathered(std::vector<Entry>& entries) {
  ImageSet set;
  for (Entry& entry : entries) {
    set.labels.push_back(entry.label);
    set.pixels.insert(set.pixels.end(), entry.pixels.begin(), entry.pixels.end());
    entry.pixels = {};
  }
  return set;
}

ImageSet chosen(const ImageSet& from, std::span<const std::uint32_t> indices) {
  ImageSet set;
  for (const std::uint32_t i : indices) {
    set.labels.push_back(from.labels[i]);
    set.pixels.insert(set.pixels.end(), from.image(i).begin(), from.image(i).end());
  }
  return set;
}

std::string digest(const Dataset& dataset, const std::vector<std::string>& classes) {
  std::string text = std::to_string(dataset.shape.channels) + " " + std::to_string(dataset.shape.side) + "\n";
  for (const std::string& name : classes) text += name + "\n";
  Md5 md5;
  md5.update(text.data(), text.size());
  for (const ImageSet* set : {&dataset.train, &dataset.test}) {
    std::string labels = std::to_string(set->size()) + "\n";
    for (const Label label : set->labels) labels += std::to_string(label) + "\n";
    md5.update(labels.data(), labels.size());
    md5.update(set->pixels.data(), set->pixels.size());
  }
  return md5.hex();
}

DecodedFolder decoded(const fs::path& directory, Listing listing, int side, bool skip) {
  DecodedFolder result;
  decode(listing.train, side);
  decode(listing.test, side);
  drop_unreadable(listing.train, skip, result.skipped);
  drop_unreadable(listing.test, skip, result.skipped);
  require_pictures(listing.has_test ? directory / "train" : directory, listing.classes, listing.train);
  Dataset& dataset = result.dataset;
  dataset.name = "folder";
  dataset.shape.channels = common_channels(listing);
  dataset.shape.side = side;
  dataset.shape.classes = static_cast<int>(listing.classes.size());
  dataset.train = gathered(listing.train);
  dataset.test = gathered(listing.test);
  if (!listing.has_test) {
    constexpr std::size_t kTestShare = 6;  // one of so many tests, as of CIFAR-10
    const Split split = stratified_split(dataset.train.labels, dataset.train.size() / kTestShare);
    dataset.test = chosen(dataset.train, split.validation);
    dataset.train = chosen(dataset.train, split.train);
  }
  dataset.shape = with_measured_pixels(dataset.shape, dataset.train);
  dataset.source = "image folder, " + std::to_string(listing.classes.size()) + " classes, " + std::to_string(dataset.shape.channels) + "x" +
                   std::to_string(side) + "x" + std::to_string(side) + ", " + std::to_string(dataset.train.size()) + " training and " +
                   std::to_string(dataset.test.size()) + " test images" + (listing.has_test ? "" : " split off") +
                   ", MD5 of classes and pixels " + digest(dataset, listing.classes);
  return result;
}

void say_skipped(const std::vector<std::string>& skipped, const LoadOptions& options) {
  constexpr std::size_t kNamed = 20;
  if (!options.say) return;
  for (std::size_t i = 0; i < std::min(kNamed, skipped.size()); ++i) options.say("left out: " + skipped[i]);
  if (skipped.size() > kNamed) options.say("left out: " + std::to_string(skipped.size() - kNamed) + " more");
}

}  // namespace

bool is_image_folder(const fs::path& directory) {
  std::error_code error;
  for (auto at = fs::directory_iterator(directory, error); !error && at != fs::end(at); at.increment(error)) {
    if (at->is_directory(error) && !hidden(at->path())) return true;
  }
  return false;
}

Dataset load_image_folder(const fs::path& directory, const LoadOptions& options) {
  try {
    const int side = options.side.value_or(kFolderSide);
    Listing listing = list(directory);
    const fs::path cache = options.cache.empty() ? default_image_cache() : options.cache;
    const std::string key = key_of(directory, listing, side, options.skip_unreadable);
    if (auto cached = read_cached(cache, key)) {
      say_skipped(cached->skipped, options);
      return std::move(cached->dataset);
    }
    if (options.say) options.say("reading " + std::to_string(listing.train.size() + listing.test.size()) + " pictures once");
    DecodedFolder result = decoded(directory, std::move(listing), side, options.skip_unreadable);
    say_skipped(result.skipped, options);
    try {
      if (!cache.empty()) write_cached(cache, key, result);
    } catch (const std::exception& error) {  // a cache saves time only
      if (options.say) options.say(std::string("the pictures are not kept for the next time: ") + error.what());
    }
    return std::move(result.dataset);
  } catch (const fs::filesystem_error& error) {
    throw DataError(quoted(directory) + " cannot be read: " + error.what());
  }
}

}  // namespace actsearch
