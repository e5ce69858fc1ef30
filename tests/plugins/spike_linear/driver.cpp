// Every set of loops that this CPU runs, against loops that anybody can read. Prints the sets; exit status 1 and a
// line for what differs.
#include "../../../plugins/onnxruntime/instructions.h"
#include "../../../plugins/spike_linear/sums_loops.h"

#include <algorithm>
#include <cstdio>
#include <vector>

using namespace spikehalt;

namespace
{

uint32_t gState = 1;
int gFailures = 0;

uint32_t draw(uint32_t below)
{
    gState = gState * 1664525U + 1013904223U;
    return (gState >> 8) % below;
}

void expect(bool holds, char const* set, char const* what, long long a, long long b)
{
    if (!holds)
    {
        ++gFailures;
        std::printf("%s: %s differs at %lld, %lld\n", set, what, a, b);
    }
}

//! Activations up to `highest`, of which about `percent` are not zero.
template <typename X>
std::vector<X> activations(int64_t count, uint32_t percent, uint32_t highest)
{
    std::vector<X> x(static_cast<size_t>(count));
    for (X& each : x)
    {
        each = static_cast<X>(draw(100) < percent ? 1 + draw(highest) : 0);
    }
    return x;
}

template <typename W>
std::vector<W> weightsOf(int64_t count, bool extreme)
{
    std::vector<W> weights(static_cast<size_t>(count));
    for (W& each : weights)
    {
        each = static_cast<W>(extreme ? -128 : static_cast<int>(draw(256)) - 128);
    }
    return weights;
}

//! Sums of a row in the order of the inputs.
template <typename Sum, typename X, typename W>
std::vector<Sum> naive(X const* x, std::vector<W> const& weights, int64_t inputs, int64_t columns)
{
    std::vector<Sum> sums(static_cast<size_t>(columns));
    for (int64_t k = 0; k < inputs; ++k)
    {
        for (int64_t n = 0; n < columns; ++n)
        {
            sums[static_cast<size_t>(n)]
                += static_cast<Sum>(x[k]) * static_cast<Sum>(weights[static_cast<size_t>(k * columns + n)]);
        }
    }
    return sums;
}

//! A list of up to so many inputs.
struct Room
{
    std::vector<uint32_t> inputs;
    std::vector<uint8_t> values;
    ByteList list;

    explicit Room(int64_t count)
        : inputs(static_cast<size_t>(placesOf(count)))
        , values(static_cast<size_t>(placesOf(count)))
        , list{inputs.data(), values.data(), 0, 0}
    {
    }

    void fillUp()
    {
        for (; list.count % kPLACES_TOGETHER != 0; ++list.count)
        {
            list.inputs[list.count] = list.inputs[list.count - 1];
            list.values[list.count] = 0;
        }
    }
};

//! As tiles lie in memory.
std::vector<int8_t> packedTile(ByteLoops const& loops, std::vector<int8_t> const& weights, int64_t columns)
{
    std::vector<int8_t> packed(weights.size(), 1);
    for (size_t at = 0; at < weights.size(); ++at)
    {
        int64_t const row = static_cast<int64_t>(at) / columns;
        int64_t const place = loops.placeOf(static_cast<int64_t>(at) % columns, columns);
        packed[static_cast<size_t>(row * columns + place)] = weights[at];
    }
    return packed;
}

//! The list of a row stands for the inputs of a layer twice, the second time behind `inputs` others.
void checkListed(ByteLoops const& loops, char const* set, int64_t inputs, uint32_t percent, uint32_t highest, bool extreme)
{
    std::vector<uint8_t> const x = activations<uint8_t>(inputs, percent, highest);
    Count const count = loops.count(x.data(), inputs);
    int64_t nonZero = 0;
    int32_t largest = 0;
    for (uint8_t const each : x)
    {
        nonZero += each != 0;
        largest = each > largest ? each : largest;
    }
    expect(count.nonZero == nonZero && count.largest == largest, set, "count", inputs, percent);
    constexpr int64_t kFIRST = 5;
    Room room(inputs);
    loops.list(x.data(), inputs, kFIRST, room.list);
    Room twice(2 * inputs);
    loops.append(room.list, static_cast<uint32_t>(-kFIRST), twice.list);
    loops.append(room.list, static_cast<uint32_t>(inputs - kFIRST), twice.list);
    expect(twice.list.count == 2 * room.list.count && room.list.count >= nonZero, set, "list", inputs, percent);
    twice.fillUp();
    std::vector<uint8_t> both = x;
    both.insert(both.end(), x.begin(), x.end());
    int64_t const middle = twice.list.count / 2 / kPLACES_TOGETHER * kPLACES_TOGETHER;
    for (int64_t columns = loops.unit; columns <= loops.tile; columns += loops.unit)
    {
        std::vector<int8_t> const weights = weightsOf<int8_t>(2 * inputs * columns, extreme);
        std::vector<int8_t> const packed = packedTile(loops, weights, columns);
        std::vector<int32_t> sums(static_cast<size_t>(columns), -1);
        loops.addListed(twice.list, {0, middle}, packed.data(), columns, sums.data());
        loops.addListed(twice.list, {middle, twice.list.count}, packed.data(), columns, sums.data());
        expect(sums == naive<int32_t>(both.data(), weights, 2 * inputs, columns), set, "addListed", inputs, columns);
    }
}

void checkDense(ByteLoops const& loops, char const* set, int64_t inputs, uint32_t highest, bool extreme)
{
    if (loops.multiply == nullptr || static_cast<int32_t>(highest) > loops.largestDense)
    {
        return;
    }
    int64_t const quads = (inputs + loops.denseInputs - 1) / loops.denseInputs * loops.denseInputs / 4;
    for (int64_t columns = loops.panel; columns <= loops.denseTile; columns += loops.panel)
    {
        std::vector<int8_t> const weights = weightsOf<int8_t>(4 * quads * columns, extreme);
        std::vector<int8_t> packed(weights.size());
        for (int64_t k = 0; k < 4 * quads; ++k)
        {
            for (int64_t n = 0; n < columns; ++n)
            {
                int64_t const panel = n / loops.panel * loops.panel * 4 * quads;
                int64_t const at = panel + (k / 4 * loops.panel + n % loops.panel) * 4 + k % 4;
                packed[static_cast<size_t>(at)] = weights[static_cast<size_t>(k * columns + n)];
            }
        }
        for (int64_t rows = 1; rows <= loops.denseRows; ++rows)
        {
            std::vector<uint8_t> const x = activations<uint8_t>(rows * 4 * quads, extreme ? 100 : 60, highest);
            std::vector<int32_t> sums(static_cast<size_t>(rows * columns));
            loops.multiply(x.data(), rows, quads, static_cast<int32_t>(highest), packed.data(),
                columns / loops.panel, sums.data(), columns);
            for (int64_t row = 0; row < rows; ++row)
            {
                std::vector<int32_t> const wanted = naive<int32_t>(x.data() + row * 4 * quads, weights, 4 * quads, columns);
                bool const same = std::equal(wanted.begin(), wanted.end(), sums.begin() + row * columns);
                expect(same, set, "multiply", columns, rows);
            }
        }
    }
}

void checkFloats(FloatLoops const& loops, char const* set, int64_t inputs, uint32_t percent)
{
    std::vector<float> x = activations<float>(kDENSE_ROWS * inputs, percent, 7);
    for (float& each : x)
    {
        each /= 4.0F;
    }
    int64_t const most = loops.tile > loops.denseTile ? loops.tile : loops.denseTile;
    for (int64_t columns = loops.unit; columns <= most; columns += loops.unit)
    {
        std::vector<float> const weights = weightsOf<float>(inputs * columns, false);
        for (int64_t rows = 1; rows <= kDENSE_ROWS && columns <= loops.denseTile; ++rows)
        {
            std::vector<float> sums(static_cast<size_t>(rows * columns));
            int64_t const half = inputs / 2;
            loops.multiply(x.data(), rows, inputs, {0, half}, weights.data(), columns, sums.data(), columns);
            loops.multiply(x.data(), rows, inputs, {half, inputs}, weights.data(), columns, sums.data(), columns);
            for (int64_t row = 0; row < rows && half > 0; ++row)
            {
                std::vector<float> const wanted = naive<float>(x.data() + row * inputs, weights, inputs, columns);
                bool const same = std::equal(wanted.begin(), wanted.end(), sums.begin() + row * columns);
                expect(same, set, "float multiply", columns, rows);
            }
        }
        if (columns > loops.tile)
        {
            continue;
        }
        std::vector<uint32_t> places(static_cast<size_t>(inputs));
        std::vector<float> values(static_cast<size_t>(inputs));
        std::vector<int32_t> ends(static_cast<size_t>(groupsOf(inputs)));
        FloatList list{places.data(), values.data(), ends.data(), 0};
        loops.list(x.data(), inputs, list);
        expect(list.count == loops.count(x.data(), inputs), set, "float count", inputs, columns);
        expect(list.count == ends.back(), set, "float ends", inputs, columns);
        std::vector<float> sums(static_cast<size_t>(columns));
        int64_t first = 0;
        for (int32_t const end : ends) // groups go on where the one before ended
        {
            loops.addListed(list, {first, end}, weights.data(), columns, sums.data());
            first = end;
        }
        expect(sums == naive<float>(x.data(), weights, inputs, columns), set, "float addListed", inputs, columns);
    }
}

void check(ByteLoops const& bytes, FloatLoops const& floats, char const* set)
{
    constexpr int64_t kLONGEST = 16384;
    for (int64_t const inputs : {1, 3, 31, 63, 64, 65, 130, 300})
    {
        for (uint32_t const highest : {1, 7, 127, 129, 255})
        {
            for (uint32_t const percent : {0, 3, 10, 50, 100})
            {
                checkListed(bytes, set, inputs, percent, highest, false);
            }
            checkDense(bytes, set, inputs, highest, false);
        }
        checkFloats(floats, set, inputs, 0);
        checkFloats(floats, set, inputs, 20);
        checkFloats(floats, set, inputs, 100);
    }
    checkListed(bytes, set, kLONGEST, 100, 1, true);
    for (uint32_t const highest : {1, 127, 255})
    {
        checkDense(bytes, set, kLONGEST / 16, highest, true);
    }
    // Accumulators at their limits: the largest activation everywhere, over the longest row.
    std::vector<uint8_t> const x(kLONGEST, 255);
    for (int8_t const weight : {int8_t{127}, int8_t{-128}})
    {
        std::vector<int8_t> const weights(static_cast<size_t>(kLONGEST * bytes.unit), weight);
        Room room(kLONGEST);
        bytes.list(x.data(), kLONGEST, 0, room.list);
        room.fillUp();
        std::vector<int32_t> sums(static_cast<size_t>(bytes.unit));
        bytes.addListed(room.list, {0, room.list.count}, weights.data(), bytes.unit, sums.data());
        expect(sums[0] == 255 * weight * kLONGEST && sums.back() == sums[0], set, "limit", weight, sums[0]);
    }
    std::printf("%s\n", set);
}

} // namespace

int main()
{
    using ort::Instructions;
    check(plainByteLoops(), plainFloatLoops(), "plain");
#if defined(__x86_64__)
    if (ort::runs(Instructions::kAVX2))
    {
        check(avx2ByteLoops(), avx2FloatLoops(), "avx2");
    }
    if (ort::runs(Instructions::kAVX512))
    {
        check(avx512ByteLoops(), avx512FloatLoops(), "avx512");
    }
    if (ort::runs(Instructions::kVNNI))
    {
        check(vnniByteLoops(), avx512FloatLoops(), "vnni");
    }
    if (ort::runs(Instructions::kAMX))
    {
        check(amxByteLoops(), avx512FloatLoops(), "amx");
    }
#elif defined(__aarch64__)
    check(neonByteLoops(), neonFloatLoops(), "neon");
    if (ort::runs(Instructions::kDOTPROD))
    {
        check(dotprodByteLoops(), neonFloatLoops(), "dotprod");
    }
#endif
    return gFailures == 0 ? 0 : 1;
}
