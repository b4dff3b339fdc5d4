#include "search/chart/chart.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "search/chart/marks.h"
#include "search/chart/svg.h"
#include "search/chart/typeset.h"
#include "tests/search/xml.h"

namespace actsearch {
namespace {

using testing::xml_fault;

Panel panel_with(const std::vector<RealFunction>& functions, const Interval& x) {
  Panel panel;
  for (const RealFunction& f : functions) panel.curves.push_back({plain("curve " + std::to_string(panel.curves.size())), f});
  panel.y = vertical_range(functions, x).y;
  return panel;
}

Chart chart_with(const std::vector<RealFunction>& functions) {
  const Interval x{-5, 5};
  return {plain("a title"), "a description", x, {panel_with(functions, x)}};
}

/// Where the drawing says this.
const TextLine* find_text(const Drawing& drawing, const std::string& text) {
  for (const Item& item : drawing.items) {
    if (const auto* line = std::get_if<TextLine>(&item); line != nullptr && unadorned(line->text) == text) return line;
  }
  return nullptr;
}

const RealFunction kRelu = [](double x) { return std::max(x, 0.0); };

TEST(Chart, OneCurveNeedsNoLegend) {
  const Drawing drawing = draw(chart_with({kRelu}));
  EXPECT_NE(find_text(drawing, "a title"), nullptr);
  EXPECT_EQ(find_text(drawing, "curve 0"), nullptr);
}

TEST(Chart, TheLegendIsWhereNoCurveIs) {
  const auto legend = [](const Drawing& drawing) { return find_text(drawing, "curve 0")->at; };
  const Drawing relu = draw(chart_with({kRelu, kRelu})), mirrored = draw(chart_with({[](double x) { return kRelu(-x); }, kRelu}));
  const Drawing falling = draw(chart_with({[](double x) { return -x; }, [](double x) { return -x; }}));
  EXPECT_LT(legend(relu).x, relu.width / 2);
  EXPECT_LT(legend(relu).y, relu.height / 2) << "above the flat part";
  EXPECT_GT(legend(falling).x, falling.width / 2);
  EXPECT_GT(mirrored.width, relu.width) << "no corner is free: beside the picture";
  EXPECT_GT(legend(mirrored).x, relu.width - 20);
}

TEST(Chart, EverythingIsWithinThePicture) {
  std::vector<RealFunction> functions;
  for (int i = 0; i < 12; ++i) functions.emplace_back([i](double x) { return std::sin(x / 1e6 + i) * 1e7; });
  const Interval x{-1e6, 1e6};
  Chart chart{{}, "", x, {panel_with(functions, x)}};
  chart.title = plain(std::string(500, 'W'));
  for (ChartCurve& curve : chart.panels[0].curves) curve.label = plain(std::string(300, 'W'));
  chart.panels.push_back(chart.panels[0]);
  const Drawing drawing = draw(chart);
  const auto within = [&](const Point& p) { return p.x >= 0 && p.y >= 0 && p.x <= drawing.width && p.y <= drawing.height; };
  int texts = 0;
  for (const Item& item : drawing.items) {
    if (const auto* line = std::get_if<TextLine>(&item)) {
      ++texts;
      const double width = text_width(line->text, line->size);
      const double left = line->at.x - (line->anchor == Anchor::kEnd ? width : line->anchor == Anchor::kMiddle ? width / 2 : 0);
      EXPECT_TRUE(within({left, line->at.y - line->size}) && within({left + width, line->at.y + 3})) << unadorned(line->text);
    } else if (const auto* lines = std::get_if<Lines>(&item)) {
      for (const Line& l : lines->lines) EXPECT_TRUE(std::all_of(l.begin(), l.end(), within));
    }
  }
  EXPECT_GT(texts, 30);
  EXPECT_LT(drawing.width, 1200);
}

TEST(Chart, NumbersOnAnAxisDoNotTouch) {
  for (const Interval x : {Interval{-5, 5}, {-1e9, 1e9}, {999'999.5, 1'000'000.5}, {-0.001, 0.0017}, {-123'456, 654'321}}) {
    Chart chart{{}, "", x, {panel_with({[](double v) { return v; }}, x)}};
    double end = 0;
    for (const Item& item : draw(chart).items) {
      const auto* line = std::get_if<TextLine>(&item);
      if (line == nullptr || line->anchor != Anchor::kMiddle || unadorned(line->text) == "x") continue;
      const double half = text_width(line->text, line->size) / 2;
      EXPECT_GT(line->at.x - half, end) << unadorned(line->text);
      end = line->at.x + half + 4;
    }
    EXPECT_GT(end, 0) << "there are some";
  }
}

TEST(Chart, TheXAxisHasTheNameItIsGiven) {
  const auto named = [](const Chart& chart) {
    std::multiset<std::string> words;
    for (const Item& item : draw(chart).items) {
      if (const auto* line = std::get_if<TextLine>(&item)) words.insert(unadorned(line->text));
    }
    return words;
  };
  Chart chart{{}, "", {1, 9}, {panel_with({[](double v) { return v; }}, {1, 9})}};
  EXPECT_EQ(named(chart).count("x"), 1);
  chart.x_name = {{"trials"}};
  EXPECT_EQ(named(chart).count("x"), 0);
  EXPECT_EQ(named(chart).count("trials"), 1);
}

TEST(Chart, CurvesDifferWithoutColour) {
  std::set<std::string> looks;
  for (std::size_t k = 0; k < kMostCurves; ++k) {
    Drawing drawing{10, 10, "", "", markers(k, {{5, 5}})};
    for (Item& item : drawing.items) {  // all in black
      Paint& paint = std::holds_alternative<Discs>(item) ? std::get<Discs>(item).paint : std::get<Lines>(item).paint;
      if (paint.fill && !(paint.fill->red == 255 && paint.fill->green == 255)) paint.fill = Colour{};
      paint.stroke = Colour{};
    }
    looks.insert(to_svg(drawing));
  }
  EXPECT_EQ(looks.size(), kMostCurves);
}

TEST(Chart, MarkersOfDifferentCurvesAreApart) {
  const View view{{-5, 5}, {-5, 5}, {0, 0}, 480, 320};
  std::set<double> places;
  for (std::size_t k = 0; k < 12; ++k) {
    for (const Point& place : marker_places([](double x) { return x; }, view, k, 12)) places.insert(std::round(place.x * 10));
  }
  ASSERT_EQ(places.size(), 72u);
  for (auto next = std::next(places.begin()); next != places.end(); ++next) EXPECT_GT(*next - *std::prev(next), 50);
}

TEST(Chart, OfNothingOrOfTooMuchIsRefused) {
  EXPECT_THROW(draw(Chart{}), std::invalid_argument);
  EXPECT_THROW(draw(chart_with(std::vector<RealFunction>(13, kRelu))), std::invalid_argument);
}

TEST(Chart, BandsBreakOffWhereTheirBoundsAreNotFinite) {
  const View view{{-5, 5}, {-1, 6}, {0, 0}, 480, 320};
  const ChartBand band{{}, [](double x) { return std::abs(x) < 1 ? Interval{0, std::nan("")} : Interval{-100, std::abs(x)}; }, 0.2};
  const auto lines = outline(band, view);
  ASSERT_EQ(lines.size(), 2u);
  for (const Line& line : lines) {
    for (const Point& p : line) EXPECT_TRUE(p.y >= 0 && p.y <= 320);
  }
}

TEST(Svg, IsWellFormedAndTheSameEachTime) {
  Chart chart = chart_with({kRelu, [](double x) { return 1 / x; }, [](double x) { return std::tanh(x); }});
  chart.panels[0].bands.push_back({plain("band"), [](double x) { return Interval{x - 1, x + 1}; }, 0.2});
  const std::string svg = to_svg(draw(chart));
  std::vector<std::string> elements;
  EXPECT_EQ(xml_fault(svg, &elements), "");
  EXPECT_EQ(svg, to_svg(draw(chart)));
  ASSERT_GE(elements.size(), 3u);
  EXPECT_EQ(elements[0] + elements[1] + elements[2], "svgtitledesc");
  const std::set<std::string> kinds(elements.begin(), elements.end());
  EXPECT_EQ(kinds, (std::set<std::string>{"svg", "title", "desc", "path", "text", "tspan"}));
  EXPECT_NE(svg.find("<desc>a description</desc>"), std::string::npos);
  EXPECT_LT(svg.size(), 12'000u);
}

TEST(Svg, HostileTextStaysText) {
  const std::string hostile = "</text><script>alert(1)</script><!--\" onload=\"x()\" &amp;&lt; ]]> \x01\xff\n";
  Chart chart = chart_with({kRelu, kRelu});
  chart.title = plain(hostile);
  chart.description = hostile;
  chart.panels[0].heading = {{hostile, true, 1}};  // not even made drawable
  chart.panels[0].curves[0].label = plain(hostile);
  const std::string svg = to_svg(draw(chart));
  std::vector<std::string> elements;
  EXPECT_EQ(xml_fault(svg, &elements), "");
  EXPECT_EQ(std::count(elements.begin(), elements.end(), "script"), 0);
  EXPECT_EQ(svg.find("onload=\"x"), std::string::npos);
  EXPECT_NE(svg.find("&lt;/text&gt;&lt;script&gt;"), std::string::npos);
}

TEST(Svg, NumbersHaveNoNoise) {
  Drawing drawing{1, 1, "", "", {Lines{{{{0.005, -0.001}, {1.0 / 3, 1e-9}}}, false, {.stroke = Colour{}}}}};
  const std::string svg = to_svg(drawing);
  EXPECT_NE(svg.find("d=\"M0.01 0L0.33 0\""), std::string::npos) << svg;
}

TEST(Svg, TheLineAfterASuperscriptIsBackOnTheBaseline) {
  const Drawing drawing{9, 9, "", "", {TextLine{{0, 5}, Anchor::kStart, 10, {{"a", false, 0}, {"2", false, 1}, {"b", false, 0}}, {}}}};
  const std::string svg = to_svg(drawing);
  EXPECT_NE(svg.find(R"(a<tspan font-size="7.2" dy="-3.6">2</tspan><tspan dy="3.6">b</tspan>)"), std::string::npos) << svg;
}

TEST(XmlFault, FindsWhatIsWrong) {
  EXPECT_EQ(xml_fault("<a b=\"c\">d &amp; e<f/></a>\n"), "");
  for (const char* wrong :
       {"<a>", "<a></b>", "<a b=c/>", "<a>&</a>", "<a>&x;</a>", "<a><</a>", "<a/><b/>", "<a/>text", "<a>\x01</a>", "</a>"}) {
    EXPECT_NE(xml_fault(wrong), "") << wrong;
  }
}

}  // namespace
}  // namespace actsearch
