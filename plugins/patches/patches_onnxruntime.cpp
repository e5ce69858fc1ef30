//! Patches in ONNX Runtime on a CPU: every pixel's 3 x 3 neighbourhood, zero outside the image.
#include "../onnxruntime/op.h"

#include <cstring>

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kX = 0;
constexpr size_t kNEIGHBOURS = 0;
constexpr int64_t kSIDE = 3;

//! Write the three pixels around `column` of an image's row to `out`.
void copyThree(uint8_t const* row, int64_t column, int64_t columns, int64_t channels, uint8_t* out)
{
    int64_t const first = std::max<int64_t>(column - 1, 0);
    int64_t const end = std::min(column + 2, columns);
    int64_t const before = (first - (column - 1)) * channels;
    int64_t const bytes = (end - first) * channels;
    std::memset(out, 0, static_cast<size_t>(before));
    std::memcpy(out + before, row + first * channels, static_cast<size_t>(bytes));
    std::memset(out + before + bytes, 0, static_cast<size_t>(kSIDE * channels - before - bytes));
}

class PatchesKernel
{
public:
    static constexpr char const* kNAME = "Patches";
    static constexpr Port kINPUTS[] = {{"x", Type::kUINT8}};
    static constexpr Port kOUTPUTS[] = {{"neighbours", Type::kUINT8}};

    explicit PatchesKernel(Attributes const&) {}

    static void infer(Inference const& inference)
    {
        Dims dims = inference.input(kX);
        if (dims.size() == 4)
        {
            dims[3] = dims[3].scaled(kSIDE * kSIDE);
            inference.setOutput(kNEIGHBOURS, Type::kUINT8, dims);
        }
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        context.requireRank(kX, x.shape, 4, "[B, H, W, C]");
        auto const* const pixels = context.data<uint8_t>(kX, x);
        Shape wide = x.shape;
        wide.dims[3] *= kSIDE * kSIDE;
        auto* const patches = context.output<uint8_t>(kNEIGHBOURS, wide);
        if (wide.volume() == 0)
        {
            return;
        }
        int64_t const rowBytes = wide.volume(2, 4);
        context.split(x.shape[0] * x.shape[1], rowBytes, [&](int64_t, int64_t first, int64_t end) {
            for (int64_t row = first; row < end; ++row)
            {
                writeRow(x.shape, pixels, row, patches + row * rowBytes);
            }
        });
    }

private:
    //! Patches of one row of an image; `row` counts over all images.
    static void writeRow(Shape const& shape, uint8_t const* pixels, int64_t row, uint8_t* out)
    {
        int64_t const height = shape[1];
        int64_t const columns = shape[2];
        int64_t const channels = shape[3];
        int64_t const y = row % height;
        for (int64_t column = 0; column < columns; ++column)
        {
            for (int64_t dy = -1; dy <= 1; ++dy, out += kSIDE * channels)
            {
                if (y + dy < 0 || y + dy >= height)
                {
                    std::memset(out, 0, static_cast<size_t>(kSIDE * channels));
                    continue;
                }
                copyThree(pixels + (row + dy) * columns * channels, column, columns, channels, out);
            }
        }
    }
};

} // namespace

ort::CustomOp const* ort::patchesOp()
{
    return Op<PatchesKernel>::get();
}

} // namespace spikehalt
