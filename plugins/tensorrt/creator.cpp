#include "creator.h"

#include "../lif/lif_plugin.h"
#include "../token_halt/token_halt_plugin.h"
#include "../token_merge/token_merge_plugin.h"
#include "../token_merge_similar/token_merge_similar_plugin.h"

#include <utility>

namespace spikehalt
{

Creator::Creator(char const* op, void (*addNames)(FieldList&), Make make)
    : mOp(op)
    , mMake(std::move(make))
{
    addNames(mNames);
}

nvinfer1::IPluginV3* Creator::createPlugin(
    char const* name, nvinfer1::PluginFieldCollection const* fields, nvinfer1::TensorRTPhase) noexcept
{
    // The node's name tells the reader of the log which of many nodes was refused.
    char const* const where = name == nullptr || *name == '\0' ? mOp : name;
    return guarded<nvinfer1::IPluginV3*>(where, nullptr, [&] { return mMake(FieldReader(mOp, fields)); });
}

nvinfer1::PluginFieldCollection const* Creator::getFieldNames() noexcept
{
    return mNames.collection();
}

char const* Creator::getPluginName() const noexcept
{
    return mOp;
}

char const* Creator::getPluginVersion() const noexcept
{
    return kVERSION;
}

char const* Creator::getPluginNamespace() const noexcept
{
    return kNAMESPACE;
}

nvinfer1::IPluginCreatorInterface* const* allCreators(int32_t& count)
{
    static Creator lif("LIF", &LifPlugin::addFieldNames,
        [](FieldReader const& fields) { return new LifPlugin(LifAttributes::read(fields)); });
    static Creator halt("TokenHalt", &TokenHaltPlugin::addFieldNames, [](FieldReader const& fields) {
        return new TokenHaltPlugin(TokenHaltAttributes::read(fields), false);
    });
    static Creator haltSum("TokenHaltSum", &TokenHaltPlugin::addFieldNames, [](FieldReader const& fields) {
        return new TokenHaltPlugin(TokenHaltAttributes::read(fields), true);
    });
    static Creator merge("TokenMerge", &TokenMergePlugin::addFieldNames,
        [](FieldReader const& fields) { return new TokenMergePlugin(fields.readInt("gamma")); });
    static Creator mergeSimilar("TokenMergeSimilar", &TokenMergeSimilarPlugin::addFieldNames,
        [](FieldReader const& fields) { return new TokenMergeSimilarPlugin(fields.readFloat("threshold")); });
    static nvinfer1::IPluginCreatorInterface* const creators[] = {&lif, &halt, &haltSum, &merge, &mergeSimilar};
    count = static_cast<int32_t>(sizeof(creators) / sizeof(creators[0]));
    return creators;
}

} // namespace spikehalt
