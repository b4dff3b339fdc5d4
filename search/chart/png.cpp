#include "search/chart/png.h"

#include <cairo/cairo.h>
#include <fontconfig/fontconfig.h>

#include <cmath>
#include <memory>
#include <numbers>

#ifdef __SANITIZE_ADDRESS__
/// What these two keep from call to call they never give back; the leak checker counts it.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\nleak:libcairo\n"; }
#endif

namespace actsearch {
namespace {

constexpr const char* kFont = "DejaVu Sans";

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using Surface = std::unique_ptr<cairo_surface_t, Freed<cairo_surface_destroy>>;
using Context = std::unique_ptr<cairo_t, Freed<cairo_destroy>>;
using FontOptions = std::unique_ptr<cairo_font_options_t, Freed<cairo_font_options_destroy>>;
using Pattern = std::unique_ptr<FcPattern, Freed<FcPatternDestroy>>;

void check(cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS) throw std::runtime_error(std::string("cairo: ") + cairo_status_to_string(status));
}

/// cairo would write with any other font, or with its own of ASCII only, and say nothing.
void require_font() {
  const Pattern wanted(FcPatternCreate());
  FcPatternAddString(wanted.get(), FC_FAMILY, reinterpret_cast<const FcChar8*>(kFont));
  FcConfigSubstitute(nullptr, wanted.get(), FcMatchPattern);
  FcDefaultSubstitute(wanted.get());
  FcResult result = FcResultNoMatch;
  const Pattern found(FcFontMatch(nullptr, wanted.get(), &result));
  FcChar8* family = nullptr;
  const bool named = found && FcPatternGetString(found.get(), FC_FAMILY, 0, &family) == FcResultMatch;
  if (named && std::string(reinterpret_cast<const char*>(family)) == kFont) return;
  throw PngUnavailable(std::string("PNG: the font ") + kFont + " is not here (Debian: fonts-dejavu-core); SVG needs none");
}

class Painter {
 public:
  explicit Painter(cairo_t* cairo) : cairo_(cairo) {
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_select_font_face(cairo, kFont, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    const FontOptions options(cairo_font_options_create());
    cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cairo, options.get());
  }

  void paint(const Lines& lines) {
    cairo_new_path(cairo_);
    for (const Line& line : lines.lines) {
      for (std::size_t i = 0; i < line.size(); ++i) (i == 0 ? cairo_move_to : cairo_line_to)(cairo_, line[i].x, line[i].y);
      if (lines.closed) cairo_close_path(cairo_);
    }
    fill_and_stroke(lines.paint);
  }

  void paint(const Discs& discs) {
    cairo_new_path(cairo_);
    for (const Point& centre : discs.centres) {
      cairo_new_sub_path(cairo_);
      cairo_arc(cairo_, centre.x, centre.y, discs.radius, 0, 2 * std::numbers::pi);
      cairo_close_path(cairo_);
    }
    fill_and_stroke(discs.paint);
  }

  void paint(const TextLine& line) {
    const double part = line.anchor == Anchor::kStart ? 0 : line.anchor == Anchor::kMiddle ? 0.5 : 1;
    double x = line.at.x - part * width(line);
    use(line.colour);
    for (const Run& run : line.text) {
      const double rise = run.shift > 0 ? kSuperscriptRise : run.shift < 0 ? -kSubscriptFall : 0;
      cairo_move_to(cairo_, x, line.at.y - rise * line.size);
      x += advance(run, line.size);
      cairo_show_text(cairo_, drawable(run.text).c_str());
    }
  }

 private:
  void use(const Colour& colour) { cairo_set_source_rgb(cairo_, colour.red / 255.0, colour.green / 255.0, colour.blue / 255.0); }

  void fill_and_stroke(const Paint& paint) {
    if (paint.fill) {
      use(*paint.fill);
      cairo_fill_preserve(cairo_);
    }
    if (paint.stroke) {
      use(*paint.stroke);
      cairo_set_line_width(cairo_, paint.width);
      cairo_set_dash(cairo_, paint.dash.data(), static_cast<int>(paint.dash.size()), 0);
      cairo_stroke_preserve(cairo_);
    }
  }

  double width(const TextLine& line) {
    double sum = 0;
    for (const Run& run : line.text) sum += advance(run, line.size);
    return sum;
  }
  /// How far the run moves the pen. The font is set for it then.
  double advance(const Run& run, double line_size) {
    constexpr double kSlant = 0.2;
    const double size = run.shift == 0 ? line_size : kShiftedSize * line_size;
    cairo_matrix_t matrix;
    cairo_matrix_init(&matrix, size, 0, run.italic ? -kSlant * size : 0, size, 0, 0);
    cairo_set_font_matrix(cairo_, &matrix);
    cairo_text_extents_t extents;
    cairo_text_extents(cairo_, drawable(run.text).c_str(), &extents);
    return extents.x_advance;
  }

  cairo_t* cairo_;
};

cairo_status_t append(void* bytes, const unsigned char* data, unsigned length) {
  static_cast<std::string*>(bytes)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

std::string to_png(const Drawing& drawing) {
  require_font();
  const auto pixels = [](double length) { return static_cast<int>(std::ceil(length * kPngScale)); };
  const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, pixels(drawing.width), pixels(drawing.height)));
  const Context context(cairo_create(surface.get()));
  cairo_scale(context.get(), kPngScale, kPngScale);
  Painter painter(context.get());
  for (const Item& item : drawing.items) {
    std::visit([&](const auto& shape) { painter.paint(shape); }, item);
  }
  check(cairo_status(context.get()));
  std::string bytes;
  check(cairo_surface_write_to_png_stream(surface.get(), append, &bytes));
  return bytes;
}

}  // namespace actsearch
