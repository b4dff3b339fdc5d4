/// The commands of the program. Each takes the words after its name and returns the exit code. Misuse is thrown as
/// std::invalid_argument (exit code 2), anything else that is thrown is a failure (1).
#pragma once

#include <string>
#include <vector>

namespace actsearch {

using Words = std::vector<std::string>;

int search_command(const Words& words);
int ask_command(const Words& words);
int tell_command(const Words& words);
int leaderboard_command(const Words& words);
int query_command(const Words& words);
int rerun_command(const Words& words);
int finalists_command(const Words& words);
int proxies_command(const Words& words);
int report_command(const Words& words);
int serve_command(const Words& words);
int show_command(const Words& words);
int plot_command(const Words& words);
int export_command(const Words& words);
int operators_command(const Words& words);
int recipes_command(const Words& words);
int spaces_command(const Words& words);
int data_command(const Words& words);
int bench_command(const Words& words);

inline constexpr const char* kDefaultSearchRecipe = "vgg16-slim";
inline constexpr const char* kDefaultRerunRecipe = "vgg16-bn";

}  // namespace actsearch
