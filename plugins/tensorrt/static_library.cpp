//! Registers the plugins when the library is opened, for programs that only dlopen it.
//!
//! TensorRT's own macro registers under the empty namespace, where a lookup by ours fails; so this
//! registers under the namespace. The registry is looked up at run time among the libraries that
//! are already loaded: building needs no TensorRT library, only headers.
#include "creator.h"

#include <dlfcn.h>

#include <string>

namespace spikehalt
{
namespace
{

using RegistryFunction = nvinfer1::IPluginRegistry* (*)();
using VersionFunction = int32_t (*)();

constexpr int32_t kMAJOR_UNIT = 10000; // version 11.4.0 calls itself 110400

//! Whether a library of this version has the registry that these headers declare. The registry's
//! layout changed with 11, and TensorRT-RTX, which counts from 1, has that of 11.
bool fits(int32_t version)
{
    int32_t const major = version / kMAJOR_UNIT;
    return major == NV_TENSORRT_MAJOR || (major == 1 && NV_TENSORRT_MAJOR >= 11);
}

//! The registry of an open library, or null when it has none that fits.
RegistryFunction registryIn(void* library)
{
    auto const version = reinterpret_cast<VersionFunction>(dlsym(library, "getInferLibVersion"));
    if (version == nullptr || !fits(version()))
    {
        return nullptr;
    }
    return reinterpret_cast<RegistryFunction>(dlsym(library, "getPluginRegistry"));
}

//! The registry of whatever TensorRT flavour this process has loaded.
RegistryFunction findRegistry()
{
    if (RegistryFunction const found = registryIn(RTLD_DEFAULT))
    {
        return found;
    }
    std::string const major = std::to_string(NV_TENSORRT_MAJOR);
    std::string const names[] = {"libnvinfer.so." + major, "libnvinfer_lean.so." + major,
        "libnvinfer_dispatch.so." + major, "libtensorrt_rtx.so.1"};
    for (std::string const& name : names)
    {
        // Python opens its libraries without making their symbols global.
        void* const library = dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
        RegistryFunction const found = library == nullptr ? nullptr : registryIn(library);
        if (found != nullptr)
        {
            return found;
        }
    }
    return nullptr;
}

bool registerAll()
{
    RegistryFunction const registry = findRegistry();
    require(registry != nullptr && registry() != nullptr,
        "no TensorRT library of major version " + std::to_string(NV_TENSORRT_MAJOR)
            + " is loaded in this process; load TensorRT first, then this plugin library.");
    int32_t count = 0;
    nvinfer1::IPluginCreatorInterface* const* const creators = allCreators(count);
    bool all = true;
    for (int32_t i = 0; i < count; ++i)
    {
        all = registry()->registerCreator(*creators[i], kNAMESPACE) && all;
    }
    require(all, "the registry refused a creator; was a plugin library loaded before?");
    return true;
}

//! Runs when the library is opened.
bool const registered = guarded<bool>("registration", false, [] { return registerAll(); });

} // namespace
} // namespace spikehalt

//! Whether opening the library registered all plugins.
extern "C" SPIKEHALT_API int32_t spikehaltRegistered()
{
    return spikehalt::registered ? 1 : 0;
}
