//! Treats the plugins of a library as TensorRT would, without TensorRT.
//!
//!   driver LIBRARY describe   prints creators, fields and type combinations as JSON
//!   driver LIBRARY check      exercises every plugin; prints failures, then "<n> checks"
//!
//! LIBRARY is the dynamic plugin library, its kernels compiled for the host.
#include "fakes.h"

#include "../../../plugins/lif/lif_kernel.h"
#include "../../../plugins/token_halt/token_halt_kernel.h"
#include "../../../plugins/token_merge/token_merge_kernel.h"
#include "../../../plugins/token_merge_similar/token_merge_similar_kernel.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

using namespace nvinfer1;
using fakes::desc;

namespace
{

int checks = 0;
int failures = 0;

#define CHECK(condition)                                                                                     \
    do                                                                                                       \
    {                                                                                                        \
        ++checks;                                                                                            \
        if (!(condition))                                                                                    \
        {                                                                                                    \
            ++failures;                                                                                      \
            std::printf("line %d: %s\n", __LINE__, #condition);                                              \
        }                                                                                                    \
    } while (false)

constexpr DataType kF = DataType::kFLOAT;
constexpr DataType kH = DataType::kHALF;
constexpr DataType kI = DataType::kINT32;
constexpr DataType kB = DataType::kINT8;
std::vector<DataType> const kALL_TYPES{kF, kH, kB, kI, DataType::kBOOL, DataType::kUINT8, DataType::kINT64};

fakes::LoggerFinder finder;
void* library = nullptr;

template <typename Function>
Function symbol(char const* name)
{
    auto const found = reinterpret_cast<Function>(dlsym(library, name));
    if (found == nullptr)
    {
        std::printf("the library exports no %s\n", name);
        std::exit(2);
    }
    return found;
}

IPluginCreatorV3One* creatorOf(std::string const& op)
{
    int32_t count = 0;
    auto const* const creators = symbol<IPluginCreatorInterface* const* (*) (int32_t&)>("getCreators")(count);
    for (int32_t i = 0; i < count; ++i)
    {
        auto* const creator = static_cast<IPluginCreatorV3One*>(creators[i]);
        if (op == creator->getPluginName())
        {
            return creator;
        }
    }
    std::printf("no creator of %s\n", op.c_str());
    std::exit(2);
}

//! Fields with their values kept alive.
class Fields
{
public:
    Fields& add(char const* name, float value)
    {
        mFloats.push_back(std::make_unique<float>(value));
        mFields.emplace_back(name, mFloats.back().get(), PluginFieldType::kFLOAT32, 1);
        return *this;
    }
    Fields& add(char const* name, int32_t value)
    {
        mInts.push_back(std::make_unique<int32_t>(value));
        mFields.emplace_back(name, mInts.back().get(), PluginFieldType::kINT32, 1);
        return *this;
    }
    //! As onnx attributes come: with or without the terminating zero in the length.
    Fields& add(char const* name, char const* value, bool zero = true)
    {
        mFields.emplace_back(
            name, value, PluginFieldType::kCHAR, static_cast<int32_t>(std::strlen(value)) + (zero ? 1 : 0));
        return *this;
    }
    Fields& raw(PluginField const& field)
    {
        mFields.push_back(field);
        return *this;
    }
    PluginFieldCollection const* collection()
    {
        mCollection = {static_cast<int32_t>(mFields.size()), mFields.data()};
        return &mCollection;
    }

private:
    std::vector<std::unique_ptr<float>> mFloats;
    std::vector<std::unique_ptr<int32_t>> mInts;
    std::vector<PluginField> mFields;
    PluginFieldCollection mCollection{};
};

Fields lifFields(int32_t spikeType = 1, int32_t steps = 1)
{
    Fields fields;
    fields.add("decay", 0.5F).add("threshold", 0.75F).add("v_reset", 0.125F).add("reset", "soft");
    fields.add("spike_type", spikeType).add("steps", steps);
    return fields;
}

Fields haltFields()
{
    Fields fields;
    fields.add("alpha", 2.0F).add("beta", -1.0F).add("last", 0);
    return fields;
}

Fields mergeFields(int32_t gamma = 3)
{
    Fields fields;
    fields.add("gamma", gamma);
    return fields;
}

Fields similarFields(float threshold = 0.75F)
{
    Fields fields;
    fields.add("threshold", threshold);
    return fields;
}

std::map<std::string, Fields (*)()> const kOPS{{"LIF", [] { return lifFields(); }}, {"TokenHalt", &haltFields},
    {"TokenHaltSum", &haltFields}, {"TokenMerge", [] { return mergeFields(); }},
    {"TokenMergeSimilar", [] { return similarFields(); }}};

//! Ops whose workspace depends on shapes.
bool merges(std::string const& op)
{
    return op == "TokenMerge" || op == "TokenMergeSimilar";
}

//! A plugin with its capabilities, destroyed at the end.
struct Plugin
{
    Plugin(IPluginV3* plugin)
        : whole(plugin)
    {
        if (plugin != nullptr)
        {
            core = static_cast<IPluginV3OneCore*>(plugin->getCapabilityInterface(PluginCapabilityType::kCORE));
            build = static_cast<IPluginV3OneBuild*>(plugin->getCapabilityInterface(PluginCapabilityType::kBUILD));
            runtime
                = static_cast<IPluginV3OneRuntime*>(plugin->getCapabilityInterface(PluginCapabilityType::kRUNTIME));
        }
    }
    std::unique_ptr<IPluginV3> whole;
    IPluginV3OneCore* core = nullptr;
    IPluginV3OneBuild* build = nullptr;
    IPluginV3OneRuntime* runtime = nullptr;
};

Plugin create(std::string const& op, Fields fields, TensorRTPhase phase = TensorRTPhase::kBUILD)
{
    return creatorOf(op)->createPlugin("block0.op", fields.collection(), phase);
}

int32_t inputsOf(std::string const& op)
{
    return op == "LIF" ? 2 : merges(op) ? 4 : 6;
}

int32_t outputsOf(std::string const& op)
{
    return op == "LIF" ? 2 : op == "TokenMerge" ? 5 : 4;
}

// --- describe -----------------------------------------------------------------------------------

char const* nameOf(DataType type)
{
    switch (type)
    {
    case kF: return "float32";
    case kH: return "float16";
    case kB: return "int8";
    case kI: return "int32";
    default: return "other";
    }
}

char const* nameOf(PluginFieldType type)
{
    switch (type)
    {
    case PluginFieldType::kFLOAT32: return "float";
    case PluginFieldType::kINT32: return "int";
    case PluginFieldType::kCHAR: return "string";
    default: return "other";
    }
}

//! All type combinations that supportsFormatCombination lets through, port by port as TensorRT asks.
void collectTypes(Plugin const& plugin, std::vector<DynamicPluginTensorDesc>& ports, int32_t inputs,
    int32_t outputs, std::vector<std::string>& rows)
{
    auto const pos = static_cast<int32_t>(ports.size());
    if (pos == inputs + outputs)
    {
        std::string row;
        for (auto const& port : ports)
        {
            row += std::string(row.empty() ? "\"" : ", \"") + nameOf(port.desc.type) + "\"";
        }
        rows.push_back("[" + row + "]");
        return;
    }
    for (DataType const type : kALL_TYPES)
    {
        ports.push_back(fakes::dynamic(desc({1}, type)));
        if (plugin.build->supportsFormatCombination(pos, ports.data(), inputs, outputs))
        {
            collectTypes(plugin, ports, inputs, outputs, rows);
        }
        ports.pop_back();
    }
}

std::string joined(std::vector<std::string> const& parts)
{
    std::string text;
    for (auto const& part : parts)
    {
        text += (text.empty() ? "" : ", ") + part;
    }
    return text;
}

void describe(std::string const& op)
{
    IPluginCreatorV3One* const creator = creatorOf(op);
    std::vector<std::string> fields;
    PluginFieldCollection const* const names = creator->getFieldNames();
    for (int32_t i = 0; i < names->nbFields; ++i)
    {
        fields.push_back(std::string("\"") + names->fields[i].name + "\": \"" + nameOf(names->fields[i].type) + "\"");
    }
    std::vector<std::string> rows;
    std::vector<Plugin> plugins;
    if (op == "LIF")
    {
        for (int32_t const spikeType : {1, 10, 3})
        {
            plugins.push_back(create(op, lifFields(spikeType)));
        }
    }
    else
    {
        plugins.push_back(create(op, kOPS.at(op)()));
    }
    for (auto const& plugin : plugins)
    {
        std::vector<DynamicPluginTensorDesc> ports;
        collectTypes(plugin, ports, inputsOf(op), outputsOf(op), rows);
    }
    std::printf("\"%s\": {\"version\": \"%s\", \"namespace\": \"%s\", \"fields\": {%s}, \"types\": [%s]}",
        op.c_str(), creator->getPluginVersion(), creator->getPluginNamespace(), joined(fields).c_str(),
        joined(rows).c_str());
}

void describeAll()
{
    bool first = true;
    std::printf("{");
    for (auto const& entry : kOPS)
    {
        std::printf("%s", first ? "" : ", ");
        describe(entry.first);
        first = false;
    }
    std::printf("}\n");
}

// --- check: what all plugins have in common -----------------------------------------------------

bool sameFields(PluginFieldCollection const* a, PluginFieldCollection const* b)
{
    bool same = a->nbFields == b->nbFields;
    for (int32_t i = 0; same && i < a->nbFields; ++i)
    {
        PluginField const& x = a->fields[i];
        PluginField const& y = b->fields[i];
        size_t const unit = x.type == PluginFieldType::kCHAR ? 1 : 4;
        same = std::strcmp(x.name, y.name) == 0 && x.type == y.type && x.length == y.length && x.data != y.data
            && std::memcmp(x.data, y.data, unit * static_cast<size_t>(x.length)) == 0;
    }
    return same;
}

void checkIdentity(std::string const& op)
{
    Plugin const plugin = create(op, kOPS.at(op)());
    CHECK(plugin.whole && plugin.core && plugin.build && plugin.runtime);
    CHECK(op == plugin.core->getPluginName());
    CHECK(std::string("1") == plugin.core->getPluginVersion());
    CHECK(std::string("spikehalt") == plugin.core->getPluginNamespace());
    CHECK(plugin.build->getNbOutputs() == outputsOf(op));
    CHECK(plugin.build->getTimingCacheID() != nullptr);
    CHECK(plugin.build->getNbTactics() == 0);
}

void checkCopies(std::string const& op)
{
    Plugin const plugin = create(op, kOPS.at(op)());
    Plugin const clone{plugin.whole->clone()};
    Plugin const attached{plugin.runtime->attachToContext(nullptr)};
    PluginFieldCollection const* const fields = plugin.runtime->getFieldsToSerialize();
    Plugin const recreated{creatorOf(op)->createPlugin("block0.op", fields, TensorRTPhase::kRUNTIME)};
    for (Plugin const* copy : {&clone, &attached, &recreated})
    {
        CHECK(copy->whole && copy->whole != plugin.whole);
        CHECK(op == copy->core->getPluginName());
        CHECK(sameFields(fields, copy->runtime->getFieldsToSerialize()));
    }
}

void checkRefusals(std::string const& op)
{
    Plugin const plugin = create(op, kOPS.at(op)());
    std::vector<DynamicPluginTensorDesc> ports(10, fakes::dynamic(desc({1}, kF)));
    int32_t const inputs = inputsOf(op);
    int32_t const outputs = outputsOf(op);
    // See checkMergeLaunch and checkMergeSimilarLaunch.
    CHECK(merges(op) || plugin.build->configurePlugin(ports.data(), inputs, ports.data(), outputs) == 0);
    CHECK(plugin.build->configurePlugin(ports.data(), inputs + 1, ports.data(), outputs) != 0);
    CHECK(plugin.build->configurePlugin(nullptr, inputs, ports.data(), outputs) != 0);
    CHECK(finder.logger.last.find(op) != std::string::npos);
    CHECK(!plugin.build->supportsFormatCombination(-1, ports.data(), inputs, outputs));
    CHECK(!plugin.build->supportsFormatCombination(inputs + outputs, ports.data(), inputs, outputs));
    CHECK(plugin.build->supportsFormatCombination(0, ports.data(), inputs, outputs));
    ports[0].desc.format = TensorFormat::kCHW32;
    CHECK(!plugin.build->supportsFormatCombination(0, ports.data(), inputs, outputs));
    std::vector<DataType> const wrong(10, DataType::kBOOL);
    std::vector<DataType> results(10);
    CHECK(plugin.build->getOutputDataTypes(results.data(), outputs, wrong.data(), inputs) != 0);
    int const before = finder.logger.count;
    CHECK(plugin.runtime->enqueue(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) != 0);
    CHECK(finder.logger.count == before + 1);
    CHECK(finder.logger.last.find("onShapeChange") != std::string::npos);
    CHECK(plugin.whole->getCapabilityInterface(static_cast<PluginCapabilityType>(9)) == nullptr);
}

bool refused(std::string const& op, Fields fields, char const* because)
{
    int const before = finder.logger.count;
    Plugin const plugin = create(op, std::move(fields));
    bool const said = finder.logger.last.find(because) != std::string::npos
        && finder.logger.last.find("block0.op") != std::string::npos;
    return !plugin.whole && finder.logger.count == before + 1 && said;
}

void checkFields()
{
    CHECK(refused("LIF", Fields{}, "attribute 'decay' is missing"));
    CHECK(refused("LIF", std::move(Fields{}.add("decay", 1)), "attribute 'decay' has another type"));
    CHECK(refused("LIF", lifFields(2), "uint8"));
    CHECK(refused("LIF", lifFields(1, 0), "steps must be at least 1"));
    CHECK(refused("LIF", std::move(Fields{}.add("decay", 0.5F).add("threshold", 1.0F).add("reset", "zero")), "'zero'"));
    CHECK(refused("LIF", std::move(Fields{}.raw({"decay", nullptr, PluginFieldType::kFLOAT32, 1})), "no data"));
    float const two[2] = {0.5F, 0.5F};
    CHECK(refused("LIF", std::move(Fields{}.raw({"decay", two, PluginFieldType::kFLOAT32, 2})), "exactly one"));
    CHECK(refused("TokenHalt", std::move(Fields{}.add("alpha", 1.0F)), "'beta' is missing"));
    CHECK(refused("TokenHalt", std::move(Fields{}.add("alpha", 1.0F).add("beta", 0.0F).add("last", 2)), "0 or 1"));
    CHECK(refused("TokenMerge", mergeFields(0), "gamma must be at least 1"));
    CHECK(refused("TokenMergeSimilar", similarFields(0.0F), "threshold must be above 0 and at most 1"));
    CHECK(refused("TokenMergeSimilar", similarFields(1.5F), "threshold must be above 0 and at most 1"));
    CHECK(creatorOf("LIF")->createPlugin("block0.op", nullptr, TensorRTPhase::kBUILD) == nullptr);
    PluginFieldCollection const broken{3, nullptr};
    CHECK(creatorOf("LIF")->createPlugin(nullptr, &broken, TensorRTPhase::kBUILD) == nullptr);
    Fields fewest;
    fewest.add("decay", 0.5F).add("threshold", 1.0F).add("reset", "hard", false);
    Plugin const defaults = create("LIF", std::move(fewest));
    CHECK(defaults.whole != nullptr);
    CHECK(defaults.whole && defaults.runtime->getFieldsToSerialize()->nbFields == 6);
}

// --- check: shapes and types --------------------------------------------------------------------

//! Output shapes for the inputs given, as text such as "B,K-3,D;B,K-3"; empty when refused.
std::string shapesOf(Plugin const& plugin, std::vector<std::vector<std::string>> const& inputs)
{
    fakes::ExprBuilder builder;
    std::vector<DimsExprs> in(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i)
    {
        in[i].nbDims = static_cast<int32_t>(inputs[i].size());
        for (size_t j = 0; j < inputs[i].size(); ++j)
        {
            std::string const& size = inputs[i][j];
            bool const known = size.find_first_not_of("0123456789") == std::string::npos;
            in[i].d[j] = known ? builder.constant(std::stoll(size)) : builder.unknown(size);
        }
    }
    std::vector<DimsExprs> out(static_cast<size_t>(plugin.build->getNbOutputs()));
    if (plugin.build->getOutputShapes(in.data(), static_cast<int32_t>(in.size()), nullptr, 0, out.data(),
            static_cast<int32_t>(out.size()), builder)
        != 0)
    {
        return "";
    }
    std::string text;
    for (auto const& shape : out)
    {
        for (int32_t i = 0; i < shape.nbDims; ++i)
        {
            text += (i == 0 ? "" : ",") + fakes::textOf(shape.d[i]);
        }
        text += ";";
    }
    return text;
}

void checkShapes()
{
    Plugin const one = create("LIF", lifFields());
    CHECK(shapesOf(one, {{"B", "K", "64"}, {"1"}}) == "B,K,64;B,K,64;");
    Plugin const several = create("LIF", lifFields(3, 4));
    CHECK(shapesOf(several, {{"4", "B", "64"}, {"B", "64"}}) == "4,B,64;B,64;");
    CHECK(shapesOf(several, {{}, {"1"}}).empty());
    std::vector<std::string> const state{"B", "K"};
    Plugin const halt = create("TokenHalt", haltFields());
    CHECK(shapesOf(halt, {{"B", "K", "64"}, state, state, state, state, {}}) == "B,K,64;B,K;B,K;B,K;");
    CHECK(shapesOf(halt, {{"M", "64"}, {"M"}, {"M"}, {"M"}, {"M"}, {}}) == "M,64;M;M;M;");
    CHECK(shapesOf(halt, {{"M"}, {}, {}, {}, {}, {}}).empty());
    Plugin const sum = create("TokenHaltSum", haltFields());
    CHECK(shapesOf(sum, {{"B", "K", "64"}, state, state, state, state, {}}) == "B,64;B,K;B,K;B,K;");
    CHECK(shapesOf(sum, {{"M", "64"}, {"M"}, {"M"}, {"M"}, {"M"}, {}}).empty());
    Plugin const merge = create("TokenMerge", mergeFields());
    CHECK(shapesOf(merge, {{"B", "K", "64"}, state, state, {"B", "3"}}) == "B,K-3,64;B,K-3;B,K-3;B,K-3;B,3;");
    CHECK(shapesOf(merge, {{"B", "9", "64"}, state, state, {"1", "1"}}) == "B,6,64;B,6;B,6;B,6;B,3;");
    CHECK(shapesOf(merge, {{"B", "5", "64"}, state, state, {"1", "1"}}).empty());
    CHECK(finder.logger.last.find("5 tokens allow at most 2") != std::string::npos);
    CHECK(shapesOf(merge, {{"B", "5000", "64"}, state, state, {"1", "1"}}).empty());
    CHECK(shapesOf(merge, {{"B", "K"}, state, state, {"1", "1"}}).empty());
    CHECK(shapesOf(merge, {{"B", "K", "64"}}).empty());
    Plugin const similar = create("TokenMergeSimilar", similarFields());
    CHECK(shapesOf(similar, {{"B", "K", "64"}, state, state, state}) == "B,K,64;B,K;B,K;B,K;");
    CHECK(shapesOf(similar, {{"B", "9", "64"}, state, state, {"1", "1"}}) == "B,9,64;B,9;B,9;B,9;");
    CHECK(shapesOf(similar, {{"B", "1", "64"}, state, state, {"1", "1"}}).empty());
    CHECK(shapesOf(similar, {{"B", "5000", "64"}, state, state, {"1", "1"}}).empty());
    CHECK(finder.logger.last.find("2 to 4096 tokens") != std::string::npos);
    CHECK(shapesOf(similar, {{"B", "K"}, state, state, {"1", "1"}}).empty());
}

std::vector<DataType> typesOf(Plugin const& plugin, std::vector<DataType> const& inputs)
{
    std::vector<DataType> outputs(static_cast<size_t>(plugin.build->getNbOutputs()), DataType::kBOOL);
    int32_t const code = plugin.build->getOutputDataTypes(outputs.data(), static_cast<int32_t>(outputs.size()),
        inputs.data(), static_cast<int32_t>(inputs.size()));
    return code == 0 ? outputs : std::vector<DataType>{};
}

void checkTypes()
{
    using Types = std::vector<DataType>;
    CHECK((typesOf(create("LIF", lifFields(3)), {kH, kH}) == Types{kB, kH}));
    CHECK((typesOf(create("LIF", lifFields(10)), {kF, kF}) == Types{kH, kF}));
    CHECK(typesOf(create("LIF", lifFields()), {kH, kF}).empty());
    CHECK((typesOf(create("TokenHalt", haltFields()), {kH, kF, kF, kF, kI, kF}) == Types{kF, kF, kF, kI}));
    CHECK((typesOf(create("TokenMerge", mergeFields()), {kH, kF, kI, kI}) == Types{kH, kF, kI, kI, kI}));
    CHECK((typesOf(create("TokenMergeSimilar", similarFields()), {kH, kF, kI, kI}) == Types{kH, kF, kI, kI}));
}

// --- check: launches ----------------------------------------------------------------------------

template <typename T>
std::vector<T> ramp(size_t count, T start, T step, T limit)
{
    std::vector<T> values(count);
    T value = start;
    for (auto& slot : values)
    {
        slot = value;
        value = value + step > limit ? start : static_cast<T>(value + step);
    }
    return values;
}

int32_t shapeChange(Plugin const& plugin, std::vector<PluginTensorDesc> const& inputs)
{
    std::vector<PluginTensorDesc> const outputs(static_cast<size_t>(plugin.build->getNbOutputs()));
    return plugin.runtime->onShapeChange(inputs.data(), static_cast<int32_t>(inputs.size()), outputs.data(),
        static_cast<int32_t>(outputs.size()));
}

int32_t enqueue(Plugin const& plugin, std::vector<void const*> const& inputs, std::vector<void*> const& outputs,
    void* workspace = nullptr)
{
    return plugin.runtime->enqueue(nullptr, nullptr, inputs.data(), outputs.data(), workspace, nullptr);
}

//! As TensorRT enqueues: with the shapes of this launch.
int32_t enqueueShaped(Plugin const& plugin, std::vector<PluginTensorDesc> const& shapes,
    std::vector<void const*> const& inputs, std::vector<void*> const& outputs, void* workspace = nullptr)
{
    std::vector<PluginTensorDesc> const results(static_cast<size_t>(plugin.build->getNbOutputs()));
    return plugin.runtime->enqueue(
        shapes.data(), results.data(), inputs.data(), outputs.data(), workspace, nullptr);
}

//! A clone taken after onShapeChange, which is not called on it.
void checkClonedLaunch()
{
    constexpr size_t kCOUNT = 37;
    auto const x = ramp<float>(kCOUNT, -1.0F, 0.0625F, 2.0F);
    auto const v = ramp<float>(kCOUNT, -0.5F, 0.125F, 1.0F);
    std::vector<float> spike(kCOUNT, 9), wanted(kCOUNT, 8), next(kCOUNT, 9), wantedNext(kCOUNT, 8);
    Plugin const plugin = create("LIF", lifFields());
    std::vector<PluginTensorDesc> const shapes{desc({kCOUNT}, kF), desc({kCOUNT}, kF)};
    CHECK(shapeChange(plugin, shapes) == 0);
    CHECK(enqueueShaped(plugin, shapes, {x.data(), v.data()}, {wanted.data(), wantedNext.data()}) == 0);
    Plugin const clone{plugin.whole->clone()};
    CHECK(enqueue(clone, {x.data(), v.data()}, {spike.data(), next.data()}) != 0); // no shapes at all
    CHECK(finder.logger.last.find("onShapeChange") != std::string::npos);
    CHECK(enqueueShaped(clone, shapes, {x.data(), v.data()}, {spike.data(), next.data()}) == 0);
    CHECK(spike == wanted && next == wantedNext);

    std::vector<float> shorter(kCOUNT, 9);
    CHECK(enqueueShaped(clone, {desc({3}, kF), desc({3}, kF)}, {x.data(), v.data()}, {shorter.data(), next.data()})
        == 0);
    CHECK(std::equal(wanted.begin(), wanted.begin() + 3, shorter.begin()));
    CHECK(shorter[3] == 9); // shapes are those of each launch
    int const before = finder.logger.count;
    CHECK(enqueueShaped(clone, {desc({kCOUNT}, kF), desc({3}, kF)}, {x.data(), v.data()},
              {spike.data(), next.data()})
        != 0);
    CHECK(finder.logger.count == before + 1);
    CHECK(finder.logger.last.find("v must be [37] or [1], not [3]") != std::string::npos);
}

void checkLifLaunch()
{
    constexpr size_t kCOUNT = 37;
    auto const x = ramp<float>(4 * kCOUNT, -1.0F, 0.0625F, 2.0F);
    auto const v = ramp<float>(kCOUNT, -0.5F, 0.125F, 1.0F);
    std::vector<int8_t> spike(4 * kCOUNT, 9);
    std::vector<int8_t> wanted(4 * kCOUNT, 8);
    std::vector<float> next(kCOUNT, 9);
    std::vector<float> wantedNext(kCOUNT, 8);
    Plugin const plugin = create("LIF", lifFields(3, 4));
    CHECK(shapeChange(plugin, {desc({4, kCOUNT}, kF), desc({kCOUNT}, kF)}) == 0);
    CHECK(enqueue(plugin, {x.data(), v.data()}, {spike.data(), next.data()}) == 0);
    SpikehaltLifParams const params{kCOUNT, 4, kSPIKEHALT_FLOAT32, kSPIKEHALT_INT8, 0, 1, 0.5F, 0.75F, 0.125F};
    auto const direct = symbol<decltype(&spikehaltLif)>("spikehaltLif");
    CHECK(direct(&params, x.data(), v.data(), wanted.data(), wantedNext.data(), nullptr) == 0);
    CHECK(spike == wanted && next == wantedNext);
    CHECK(enqueue(plugin, {x.data(), nullptr}, {spike.data(), next.data()}) == kSPIKEHALT_NULL_POINTER);
    CHECK(finder.logger.last.find("missing") != std::string::npos);

    auto const fail = symbol<void (*)(int)>("emulationFail");
    fail(719);
    CHECK(enqueue(plugin, {x.data(), v.data()}, {spike.data(), next.data()}) == 719);
    CHECK(finder.logger.last.find("LIF") != std::string::npos);
    fail(0);
    CHECK(enqueue(plugin, {x.data(), v.data()}, {spike.data(), next.data()}) == 0);

    CHECK(shapeChange(plugin, {desc({4, kCOUNT}, kF), desc({1}, kF)}) == 0);
    CHECK(shapeChange(plugin, {desc({3, kCOUNT}, kF), desc({kCOUNT}, kF)}) != 0);
    CHECK(finder.logger.last.find("4 steps") != std::string::npos);
    CHECK(enqueueShaped(plugin, {desc({3, kCOUNT}, kF), desc({kCOUNT}, kF)}, {x.data(), v.data()},
              {spike.data(), next.data()})
        != 0); // the shapes were refused
    CHECK(shapeChange(plugin, {desc({4, kCOUNT}, kF), desc({kCOUNT, 1}, kF)}) != 0);
    CHECK(shapeChange(plugin, {desc({4, -1}, kF), desc({-1}, kF)}) != 0);
    CHECK(shapeChange(plugin, {desc({4, kCOUNT}, kI), desc({kCOUNT}, kI)}) != 0);
    CHECK(shapeChange(plugin, {desc({4, kCOUNT}, kF)}) != 0);
}

void checkHaltLaunch(bool sum)
{
    constexpr int64_t kB2 = 2;
    constexpr int64_t kK = 5;
    constexpr int64_t kD = 8;
    constexpr size_t kTOKENS = kB2 * kK;
    auto const x = ramp<float>(kTOKENS * kD, -1.0F, 0.25F, 2.0F);
    std::vector<float> const size(kTOKENS, 1.0F);
    auto const hist = ramp<float>(kTOKENS, 0.0F, 0.125F, 0.5F);
    auto const cum = ramp<float>(kTOKENS, 0.0F, 0.0625F, 0.5F);
    auto const live = ramp<int32_t>(kTOKENS, 0, 1, 1);
    float const epsilon = 0.0625F;
    size_t const readoutSize = sum ? kB2 * kD : kTOKENS * kD;
    std::vector<float> readout(readoutSize, 9), wantedReadout(readoutSize, 8);
    std::vector<float> states[4];
    std::vector<int32_t> next(kTOKENS, 9), wantedNext(kTOKENS, 8);
    for (auto& state : states)
    {
        state.assign(kTOKENS, 7);
    }
    Plugin const plugin = create(sum ? "TokenHaltSum" : "TokenHalt", haltFields());
    std::vector<PluginTensorDesc> inputs{desc({kB2, kK, kD}, kF), desc({kB2, kK}, kF), desc({kB2, kK}, kF),
        desc({kB2, kK}, kF), desc({kB2, kK}, kI), desc({}, kF)};
    CHECK(shapeChange(plugin, inputs) == 0);
    CHECK(enqueue(plugin, {x.data(), size.data(), hist.data(), cum.data(), live.data(), &epsilon},
              {readout.data(), states[0].data(), states[1].data(), next.data()})
        == 0);
    SpikehaltTokenHaltParams const params{kB2, kK, kD, kSPIKEHALT_FLOAT32, 0, 2.0F, -1.0F};
    SpikehaltTokenHaltTensors const tensors{x.data(), size.data(), hist.data(), cum.data(), live.data(), &epsilon,
        wantedReadout.data(), states[2].data(), states[3].data(), wantedNext.data()};
    auto const direct
        = symbol<decltype(&spikehaltTokenHalt)>(sum ? "spikehaltTokenHaltSum" : "spikehaltTokenHalt");
    CHECK(direct(&params, &tensors, nullptr) == 0);
    CHECK(readout == wantedReadout && states[0] == states[2] && states[1] == states[3] && next == wantedNext);
    readout.assign(readoutSize, 9);
    CHECK(enqueueShaped(Plugin{plugin.whole->clone()}, inputs,
              {x.data(), size.data(), hist.data(), cum.data(), live.data(), &epsilon},
              {readout.data(), states[0].data(), states[1].data(), next.data()})
        == 0);
    CHECK(readout == wantedReadout);

    inputs[2] = desc({kB2, kK + 1}, kF);
    CHECK(shapeChange(plugin, inputs) != 0);
    CHECK(finder.logger.last.find("input 2 must be [2, 5], not [2, 6]") != std::string::npos);
    inputs[2] = desc({kB2, kK}, kF);
    inputs[5] = desc({2}, kF);
    CHECK(shapeChange(plugin, inputs) != 0);
}

void checkMergeLaunch()
{
    constexpr int64_t kB2 = 2;
    constexpr int64_t kK = 9;
    constexpr int64_t kD = 8;
    constexpr int64_t kG = 3;
    constexpr size_t kKEPT = kB2 * (kK - kG);
    auto const x = ramp<float>(kB2 * kK * kD, -1.0F, 0.25F, 2.0F);
    std::vector<float> const size(kB2 * kK, 1.0F);
    auto const live = ramp<int32_t>(kB2 * kK, 0, 1, 1);
    int32_t const choose = -1;
    std::vector<float> tokens[2], sizes[2];
    std::vector<int32_t> lives[2], keeps[2], sources[2];
    for (int i = 0; i < 2; ++i)
    {
        tokens[i].assign(kKEPT * kD, static_cast<float>(i));
        sizes[i].assign(kKEPT, static_cast<float>(i));
        lives[i].assign(kKEPT, i);
        keeps[i].assign(kKEPT, i);
        sources[i].assign(kB2 * kG, i);
    }
    Plugin const plugin = create("TokenMerge", mergeFields(kG));
    std::vector<PluginTensorDesc> inputs{
        desc({kB2, kK, kD}, kF), desc({kB2, kK}, kF), desc({kB2, kK}, kI), desc({1, 1}, kI)};
    std::vector<DynamicPluginTensorDesc> in, out(5);
    for (auto const& input : inputs)
    {
        in.push_back(fakes::dynamic(input));
    }
    SpikehaltTokenMergeParams const params{kB2, kD, kK, kG, kSPIKEHALT_FLOAT32, 1};
    size_t const bytes = plugin.build->getWorkspaceSize(in.data(), 4, out.data(), 5);
    CHECK(bytes == symbol<decltype(&spikehaltTokenMergeWorkspace)>("spikehaltTokenMergeWorkspace")(&params));
    CHECK(bytes == 2 * 5 * 8);
    std::vector<char> workspace(bytes);
    CHECK(shapeChange(plugin, inputs) == 0);
    CHECK(enqueue(plugin, {x.data(), size.data(), live.data(), &choose},
              {tokens[0].data(), sizes[0].data(), lives[0].data(), keeps[0].data(), sources[0].data()},
              workspace.data())
        == 0);
    SpikehaltTokenMergeTensors const tensors{x.data(), size.data(), live.data(), &choose, tokens[1].data(),
        sizes[1].data(), lives[1].data(), keeps[1].data(), sources[1].data(), workspace.data(), bytes};
    CHECK(symbol<decltype(&spikehaltTokenMerge)>("spikehaltTokenMerge")(&params, &tensors, nullptr) == 0);
    CHECK(tokens[0] == tokens[1] && sizes[0] == sizes[1] && lives[0] == lives[1] && keeps[0] == keeps[1]
        && sources[0] == sources[1]);
    tokens[0].assign(kKEPT * kD, 9);
    CHECK(enqueueShaped(Plugin{plugin.whole->clone()}, inputs, {x.data(), size.data(), live.data(), &choose},
              {tokens[0].data(), sizes[0].data(), lives[0].data(), keeps[0].data(), sources[0].data()},
              workspace.data())
        == 0);
    CHECK(tokens[0] == tokens[1]);
    CHECK(enqueue(plugin, {x.data(), size.data(), live.data(), &choose},
              {tokens[0].data(), sizes[0].data(), lives[0].data(), keeps[0].data(), sources[0].data()})
        == kSPIKEHALT_NULL_POINTER); // no workspace

    inputs[3] = desc({kB2, kG}, kI);
    CHECK(shapeChange(plugin, inputs) == 0);
    inputs[3] = desc({kB2, kG + 1}, kI);
    CHECK(shapeChange(plugin, inputs) != 0);
    inputs[3] = desc({1, 1}, kI);
    inputs[2] = desc({kB2, kK + 1}, kI);
    CHECK(shapeChange(plugin, inputs) != 0);
    inputs[2] = desc({kB2, kK}, kI);
    inputs[0] = desc({kB2, 5, kD}, kF);
    CHECK(shapeChange(plugin, inputs) != 0);
    CHECK(plugin.build->configurePlugin(in.data(), 4, out.data(), 5) == 0);
    in[0].max = fakes::dims({kB2, 5000, kD});
    CHECK(plugin.build->configurePlugin(in.data(), 4, out.data(), 5) != 0);
    CHECK(finder.logger.last.find("at most 4096 tokens") != std::string::npos);
    CHECK(plugin.build->getWorkspaceSize(in.data(), 4, out.data(), 5) == 0);
}

void checkMergeSimilarLaunch()
{
    constexpr int64_t kB2 = 2;
    constexpr int64_t kK = 9;
    constexpr int64_t kD = 8;
    constexpr size_t kALL = kB2 * kK;
    auto const x = ramp<float>(kALL * kD, -1.0F, 0.25F, 2.0F);
    std::vector<float> const size(kALL, 1.0F);
    auto const live = ramp<int32_t>(kALL, 0, 1, 1);
    int32_t const choose = -1;
    std::vector<float> tokens[2], sizes[2];
    std::vector<int32_t> lives[2], sources[2];
    for (int i = 0; i < 2; ++i)
    {
        tokens[i].assign(kALL * kD, static_cast<float>(i));
        sizes[i].assign(kALL, static_cast<float>(i));
        lives[i].assign(kALL, i);
        sources[i].assign(kALL, i);
    }
    Plugin const plugin = create("TokenMergeSimilar", similarFields(0.5F));
    std::vector<PluginTensorDesc> inputs{
        desc({kB2, kK, kD}, kF), desc({kB2, kK}, kF), desc({kB2, kK}, kI), desc({1, 1}, kI)};
    std::vector<DynamicPluginTensorDesc> in, out(4);
    for (auto const& input : inputs)
    {
        in.push_back(fakes::dynamic(input));
    }
    SpikehaltTokenMergeSimilarParams const params{kB2, kD, kK, kSPIKEHALT_FLOAT32, 1, 0.5F};
    size_t const bytes = plugin.build->getWorkspaceSize(in.data(), 4, out.data(), 4);
    auto const workspaceOf
        = symbol<decltype(&spikehaltTokenMergeSimilarWorkspace)>("spikehaltTokenMergeSimilarWorkspace");
    CHECK(bytes == workspaceOf(&params) && bytes == 2 * 5 * 8);
    std::vector<char> workspace(bytes);
    std::vector<void const*> const fed{x.data(), size.data(), live.data(), &choose};
    CHECK(shapeChange(plugin, inputs) == 0);
    CHECK(enqueue(plugin, fed, {tokens[0].data(), sizes[0].data(), lives[0].data(), sources[0].data()},
              workspace.data())
        == 0);
    SpikehaltTokenMergeSimilarTensors const tensors{x.data(), size.data(), live.data(), &choose, tokens[1].data(),
        sizes[1].data(), lives[1].data(), sources[1].data(), workspace.data(), bytes};
    CHECK(symbol<decltype(&spikehaltTokenMergeSimilar)>("spikehaltTokenMergeSimilar")(&params, &tensors, nullptr)
        == 0);
    CHECK(tokens[0] == tokens[1] && sizes[0] == sizes[1] && lives[0] == lives[1] && sources[0] == sources[1]);
    tokens[0].assign(kALL * kD, 9);
    CHECK(enqueueShaped(Plugin{plugin.whole->clone()}, inputs, fed,
              {tokens[0].data(), sizes[0].data(), lives[0].data(), sources[0].data()}, workspace.data())
        == 0);
    CHECK(tokens[0] == tokens[1]);
    CHECK(enqueue(plugin, fed, {tokens[0].data(), sizes[0].data(), lives[0].data(), sources[0].data()})
        == kSPIKEHALT_NULL_POINTER); // no workspace

    inputs[3] = desc({kB2, kK}, kI);
    CHECK(shapeChange(plugin, inputs) == 0);
    inputs[3] = desc({kB2, kK + 1}, kI);
    CHECK(shapeChange(plugin, inputs) != 0);
    inputs[3] = desc({1, 1}, kI);
    inputs[2] = desc({kB2, kK + 1}, kI);
    CHECK(shapeChange(plugin, inputs) != 0);
    CHECK(plugin.build->configurePlugin(in.data(), 4, out.data(), 4) == 0);
    in[0].max = fakes::dims({kB2, 5000, kD});
    CHECK(plugin.build->configurePlugin(in.data(), 4, out.data(), 4) != 0);
    CHECK(plugin.build->getWorkspaceSize(in.data(), 4, out.data(), 4) == 0);
}

void checkAll()
{
    for (auto const& entry : kOPS)
    {
        checkIdentity(entry.first);
        checkCopies(entry.first);
        checkRefusals(entry.first);
    }
    checkFields();
    checkShapes();
    checkTypes();
    checkClonedLaunch();
    checkLifLaunch();
    checkHaltLaunch(false);
    checkHaltLaunch(true);
    checkMergeLaunch();
    checkMergeSimilarLaunch();
    std::printf("%d checks\n", checks);
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3 || (library = dlopen(argv[1], RTLD_NOW)) == nullptr)
    {
        std::printf("%s\n", argc == 3 ? dlerror() : "usage: driver LIBRARY describe|check");
        return 2;
    }
    symbol<void (*)(ILoggerFinder*)>("setLoggerFinder")(&finder);
    if (std::string("describe") == argv[2])
    {
        describeAll();
        return 0;
    }
    checkAll();
    return failures == 0 ? 0 : 1;
}
