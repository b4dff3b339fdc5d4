/// libnvrtc.so.13 for machines without a GPU: a "cubin" is a shared object, compiled by the C++ compiler behind device_words.h.

#include <fcntl.h>
#include <nvrtc.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;

struct _nvrtcProgram {
  std::string source, name, log, cubin;
  bool compiled = false;
};

namespace {

nvrtcResult refuse(nvrtcResult result, const std::string& what) {
  std::fprintf(stderr, "cuda simulator: NVRTC: %s\n", what.c_str());
  return result;
}

struct Programs {
  std::mutex mutex;
  std::map<nvrtcProgram, std::unique_ptr<_nvrtcProgram>> live;
};
Programs& programs() {
  static Programs all;
  return all;
}
bool is_live(nvrtcProgram program) {
  const std::lock_guard lock(programs().mutex);
  return programs().live.contains(program);
}

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "cuda-simulator-XXXXXX").string();
    if (!mkdtemp(name.data())) throw fs::filesystem_error("mkdtemp", name, std::error_code(errno, std::generic_category()));
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code error;
    fs::remove_all(path, error);
  }
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// With as many lines, for the kernels are found by their text.
std::string without_comments(const std::string& source) {
  static const std::regex comment(R"(//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)");
  return std::regex_replace(source, comment, " ");
}

struct Options {
  int architecture = 0;
  bool verbose = false;
  std::vector<std::string> for_compiler;
};

/// False for an option that NVRTC does not have.
bool read_option(const std::string& option, Options& options) {
  static const std::regex architecture("(?:--gpu-architecture|-arch)=sm_(75|8[0-9]|90|10[0-9]|1[12][0-9])[af]?");
  static const std::regex ignored(
      "--?(?:std=c\\+\\+(?:11|14|17|20)|(?:prec-div|prec-sqrt|ftz|fmad|extra-device-vectorization)=(?:true|false)|use_fast_math|restrict|"
      "generate-line-info|lineinfo|default-device|split-compile=[0-9]+|maxrregcount=[0-9]+)");
  std::smatch match;
  if (std::regex_match(option, match, architecture)) {
    options.architecture = std::stoi(match[1]);
  } else if (option == "--ptxas-options=--verbose" || option == "--ptxas-options=-v") {
    options.verbose = true;
  } else if (option.starts_with("-D") && option.size() > 2) {
    options.for_compiler.push_back(option);
  } else if (!std::regex_match(option, ignored)) {
    return false;
  }
  return true;
}

/// The definitions that CUDA leaves to the launch, and what the driver looks for.
std::string trailer(const std::string& source, int architecture, std::vector<std::string>& kernels) {
  const std::string text = without_comments(source);
  std::string definitions, prepare, check;
  static const std::regex shared(R"(extern\s+__shared__\s+(?:__align__\s*\([^)]*\)\s*)?([\w:][\w:\s]*?)\s+(\w+)\s*\[\s*\]\s*;)");
  std::set<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), shared), end; at != end; ++at) {
    const std::string type = (*at)[1], name = (*at)[2];
    if (!names.insert(name).second) continue;
    definitions += "alignas(16) thread_local " + type + " " + name + "[cuda_simulator::shared_length<" + type + ">];\n";
    prepare += "  cuda_simulator::prepare_shared(" + name + ", bytes);\n";
    check += "  if (!cuda_simulator::shared_is_intact(" + name + ", bytes)) return \"" + name +
             "[]: written past the launch's dynamic shared memory\";\n";
  }
  definitions +=
      "static void simulator_begin_block(const cuda_simulator::Index* grid, const cuda_simulator::Index* block, const "
      "cuda_simulator::Index* at,\n"
      "                                  unsigned int bytes) {\n  cuda_simulator::begin(grid, block, at);\n" +
      prepare + "}\nstatic const char* simulator_end_block(unsigned int bytes) {\n" + check + "  return nullptr;\n}\n" +
      "extern \"C\" const cuda_simulator::Module simulator_module;\nconst cuda_simulator::Module simulator_module = {" +
      std::to_string(architecture) + ", cuda_simulator::attach, simulator_begin_block, cuda_simulator::enter, simulator_end_block};\n";

  static const std::regex kernel(
      R"(\b(?:KERNEL|__global__)\s+(?:__launch_bounds__\s*\(([^),]*)[^)]*\)\s*)?void\s+(?:__launch_bounds__\s*\(([^),]*)[^)]*\)\s*)?(\w+)\s*\()");
  for (std::sregex_iterator at(text.begin(), text.end(), kernel), end; at != end; ++at) {
    const std::string name = (*at)[3], bounds = (*at)[1].matched ? (*at)[1] : (*at)[2];
    if (std::find(kernels.begin(), kernels.end(), name) != kernels.end()) continue;
    kernels.push_back(name);
    definitions += "extern \"C\" const cuda_simulator::Kernel simulator_kernel_" + name +
                   ";\nconst cuda_simulator::Kernel simulator_kernel_" + name + " = cuda_simulator::kernel_of<&" + name + ">(" +
                   (bounds.empty() ? "1024" : bounds) + ");\n";
  }
  return definitions;
}

/// The compiler's exit status, its words in folder/log; -1 if it cannot be run.
int run_compiler(const fs::path& folder, const std::vector<std::string>& for_compiler) {
  std::vector<std::string> words = {ACTSEARCH_SIMULATOR_COMPILER,
                                    "-x",
                                    "c++",
                                    "-std=c++17",
                                    "-O1",
                                    "-fPIC",
                                    "-shared",
                                    "-w",
                                    "-ffp-contract=off",
                                    "-fno-extern-tls-init",
                                    "-fsanitize=alignment,bounds",
                                    "-frandom-seed=simulator",
                                    "-fno-diagnostics-color",
                                    "-Wl,--as-needed,--build-id=none,-z,defs",
                                    "-s",
                                    "-I",
                                    ACTSEARCH_SIMULATOR_ROOT};
  words.insert(words.end(), for_compiler.begin(), for_compiler.end());
  // -nodefaultlibs: the sanitizer's findings go to device_words.h, not to its library.
  words.insert(words.end(), {"-o", "module.so", "module.cpp", "-x", "none", "-nodefaultlibs", "-lm", "-lc", "-lgcc"});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, 1, "log", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  const int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return -1;
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

nvrtcResult compile(_nvrtcProgram& program, const Options& options) {
  const Folder folder;
  std::vector<std::string> kernels;
  {
    std::ofstream file(folder.path / "module.cpp", std::ios::binary);
    file << "#include \"tests/cuda_simulator/device_words.h\"\n#line 1 \"" << program.name << "\"\n"
         << program.source << "\n#line 1 \"simulator\"\n"
         << trailer(program.source, options.architecture, kernels);
    // For tests of what a compile error comes to: a word that no source may hold.
    const char* const refused = std::getenv("ACTSEARCH_SIMULATOR_REFUSES");
    if (refused && program.source.find(refused) != std::string::npos) file << "\n#error " << refused << " is refused\n";
    if (!file.flush()) return refuse(NVRTC_ERROR_INTERNAL_ERROR, "cannot write to " + folder.path.string());
  }
  const int status = run_compiler(folder.path, options.for_compiler);
  if (status < 0) return refuse(NVRTC_ERROR_INTERNAL_ERROR, "cannot run " ACTSEARCH_SIMULATOR_COMPILER);
  program.log = read(folder.path / "log");
  if (status != 0) return NVRTC_ERROR_COMPILATION;
  if (options.verbose) {
    for (const std::string& kernel : kernels) {
      program.log += "ptxas info    : Compiling entry function '" + kernel + "' for 'sm_" + std::to_string(options.architecture) +
                     "'\nptxas info    : Used 32 registers\n";
    }
  }
  program.cubin = read(folder.path / "module.so");
  program.compiled = true;
  return NVRTC_SUCCESS;
}

}  // namespace

extern "C" {

nvrtcResult nvrtcVersion(int* major, int* minor) {
  if (!major || !minor) return refuse(NVRTC_ERROR_INVALID_INPUT, "nvrtcVersion: a null pointer");
  *major = 99;
  *minor = 0;
  return NVRTC_SUCCESS;
}

const char* nvrtcGetErrorString(nvrtcResult result) {
  static constexpr std::array names = {"NVRTC_SUCCESS",
                                       "NVRTC_ERROR_OUT_OF_MEMORY",
                                       "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
                                       "NVRTC_ERROR_INVALID_INPUT",
                                       "NVRTC_ERROR_INVALID_PROGRAM",
                                       "NVRTC_ERROR_INVALID_OPTION",
                                       "NVRTC_ERROR_COMPILATION",
                                       "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
                                       "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION",
                                       "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION",
                                       "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID",
                                       "NVRTC_ERROR_INTERNAL_ERROR"};
  const auto place = static_cast<std::size_t>(result);
  return place < names.size() ? names[place] : "NVRTC_ERROR unknown";
}

nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source, const char* name, int headers, const char* const*,
                               const char* const*) {
  if (!program || !source) return refuse(NVRTC_ERROR_INVALID_INPUT, "nvrtcCreateProgram: a null pointer");
  if (headers != 0) return refuse(NVRTC_ERROR_INVALID_INPUT, "nvrtcCreateProgram: the simulation has no headers");
  auto created = std::make_unique<_nvrtcProgram>();
  created->source = source;
  created->name = name ? name : "default_program";
  *program = created.get();
  const std::lock_guard lock(programs().mutex);
  programs().live[*program] = std::move(created);
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program) {
  const std::lock_guard lock(programs().mutex);
  if (!program || programs().live.erase(*program) == 0) return refuse(NVRTC_ERROR_INVALID_PROGRAM, "nvrtcDestroyProgram: no program");
  *program = nullptr;
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count, const char* const* words) {
  if (!is_live(program)) return refuse(NVRTC_ERROR_INVALID_PROGRAM, "nvrtcCompileProgram: no program");
  if (program->compiled) return refuse(NVRTC_ERROR_INVALID_INPUT, "nvrtcCompileProgram: it has been compiled");
  Options options;
  for (int i = 0; i < count; ++i) {
    if (!words || !words[i]) return refuse(NVRTC_ERROR_INVALID_INPUT, "nvrtcCompileProgram: a null option");
    if (!read_option(words[i], options)) {
      program->log = "nvrtc: error: invalid option " + std::string(words[i]) + "\n";
      return refuse(NVRTC_ERROR_INVALID_OPTION, words[i]);
    }
  }
  if (options.architecture == 0) return refuse(NVRTC_ERROR_INVALID_OPTION, "no --gpu-architecture=sm_…: there would be no cubin");
  try {
    return compile(*program, options);
  } catch (const std::exception& error) {
    return refuse(NVRTC_ERROR_INTERNAL_ERROR, error.what());
  }
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t* size) {
  if (!is_live(program) || !size) return refuse(NVRTC_ERROR_INVALID_PROGRAM, "nvrtcGetProgramLogSize: no program, or a null pointer");
  *size = program->log.size() + 1;
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char* log) {
  if (!is_live(program) || !log) return refuse(NVRTC_ERROR_INVALID_PROGRAM, "nvrtcGetProgramLog: no program, or a null pointer");
  std::memcpy(log, program->log.c_str(), program->log.size() + 1);
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t* size) {
  if (!is_live(program) || !size) return refuse(NVRTC_ERROR_INVALID_PROGRAM, "nvrtcGetCUBINSize: no program, or a null pointer");
  if (!program->compiled) return refuse(NVRTC_ERROR_INVALID_PROGRAM, "nvrtcGetCUBINSize: it has not been compiled");
  *size = program->cubin.size();
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char* cubin) {
  if (!is_live(program) || !cubin) return refuse(NVRTC_ERROR_INVALID_PROGRAM, "nvrtcGetCUBIN: no program, or a null pointer");
  if (!program->compiled) return refuse(NVRTC_ERROR_INVALID_PROGRAM, "nvrtcGetCUBIN: it has not been compiled");
  std::memcpy(cubin, program->cubin.data(), program->cubin.size());
  return NVRTC_SUCCESS;
}

}  // extern "C"
