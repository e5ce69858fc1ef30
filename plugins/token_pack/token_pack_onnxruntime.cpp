//! TokenPack in ONNX Runtime on a CPU: the rows whose tokens are alive, close together.
#include "../onnxruntime/op.h"
#include "../onnxruntime/token_index.h"

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kX = 0;
constexpr size_t kINDEX = 1;
constexpr size_t kLIVE = 2;
constexpr size_t kPACKED = 0;
constexpr size_t kPACKED_INDEX = 1;
constexpr size_t kPLACE = 2;

class TokenPackKernel
{
public:
    static constexpr char const* kNAME = "TokenPack";
    static constexpr Port kINPUTS[] = {{"x", Type::kFLOAT}, {"index", Type::kINT64}, {"live", Type::kINT32}};
    static constexpr Port kOUTPUTS[]
        = {{"packed", Type::kFLOAT}, {"packed_index", Type::kINT64}, {"place", Type::kINT64}};

    explicit TokenPackKernel(Attributes const&) {}

    static void infer(Inference const& inference)
    {
        Dims const x = inference.input(kX);
        Dims const live = inference.input(kLIVE);
        if (x.size() == 2)
        {
            inference.setOutput(kPACKED, Type::kFLOAT, {Dim{}, x[1]});
        }
        inference.setOutput(kPACKED_INDEX, Type::kINT64, {Dim{}});
        bool const known = live.size() == 2 && live[0].size >= 0;
        inference.setOutput(kPLACE, Type::kINT64, {known ? live[1].scaled(live[0].size) : Dim{}});
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        Input const live = context.input(kLIVE);
        context.requireRank(kX, x.shape, 2, "[M, D]");
        context.requireRank(kLIVE, live.shape, 2, "[B, K]");
        int64_t const width = x.shape[1];
        int64_t const slots = live.shape.volume();
        float const* const rows = context.data<float>(kX, x);
        auto const* const alive = context.data<int32_t>(kLIVE, live);
        auto const* const index = context.data<int64_t>(kINDEX, Shape{x.shape[0]});
        requireAscending(context, kINDEX, index, x.shape[0], slots);
        int64_t const count
            = std::count_if(index, index + x.shape[0], [&](int64_t slot) { return alive[slot] != 0; });
        float* const packed = context.output<float>(kPACKED, Shape{count, width});
        auto* const packedIndex = context.output<int64_t>(kPACKED_INDEX, Shape{count});
        auto* const place = context.output<int64_t>(kPLACE, Shape{slots});
        std::fill_n(place, slots, count);
        int64_t next = 0;
        for (int64_t m = 0; m < x.shape[0]; ++m)
        {
            if (alive[index[m]] != 0)
            {
                std::copy_n(rows + m * width, width, packed + next * width);
                packedIndex[next] = index[m];
                place[index[m]] = next;
                ++next;
            }
        }
    }
};

} // namespace

ort::CustomOp const* ort::tokenPackOp()
{
    return Op<TokenPackKernel>::get();
}

} // namespace spikehalt
