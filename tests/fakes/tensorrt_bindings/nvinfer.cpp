//! The functions that TensorRT's Python bindings import from libnvinfer, libnvinfer_plugin and libnvonnxparser,
//! answered by TensorRT-RTX's libraries, which have the same interfaces and need no GPU.
//!
//! Both libraries must be loaded before; versions are theirs, since each checks that it is called by its own.

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace
{

template <typename Function>
Function in(char const* library, char const* name)
{
    void* const handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    void* const found = handle == nullptr ? nullptr : dlsym(handle, name);
    if (found == nullptr)
    {
        std::fprintf(stderr, "%s is not loaded or has no %s\n", library, name);
        std::abort();
    }
    return reinterpret_cast<Function>(found);
}

template <typename Function>
Function builder(char const* name)
{
    return in<Function>("libtensorrt_rtx.so.1", name);
}

template <typename Function>
Function parser(char const* name)
{
    return in<Function>("libtensorrt_onnxparser_rtx.so.1", name);
}

int32_t version()
{
    return builder<int32_t (*)()>("getInferLibVersion")();
}

} // namespace

extern "C"
{

void* createInferBuilder_INTERNAL(void* logger, int32_t)
{
    return builder<void* (*) (void*, int32_t)>("createInferBuilder_INTERNAL")(logger, version());
}

void* createInferRuntime_INTERNAL(void* logger, int32_t)
{
    return builder<void* (*) (void*, int32_t)>("createInferRuntime_INTERNAL")(logger, version());
}

void* createInferRefitter_INTERNAL(void* engine, void* logger, int32_t)
{
    return builder<void* (*) (void*, void*, int32_t)>("createInferRefitter_INTERNAL")(engine, logger, version());
}

void* getBuilderPluginRegistry(int32_t capability)
{
    return builder<void* (*) (int32_t)>("getBuilderPluginRegistry")(capability);
}

void* getPluginRegistry()
{
    return builder<void* (*) ()>("getPluginRegistry")();
}

bool initLibNvInferPlugins(void*, char const*)
{
    return true;
}

int32_t getNvOnnxParserVersion()
{
    return parser<int32_t (*)()>("getNvOnnxParserVersion")();
}

void* createNvOnnxParser_INTERNAL(void* network, void* logger, int32_t)
{
    using Function = void* (*) (void*, void*, int32_t);
    return parser<Function>("createNvOnnxParser_INTERNAL")(network, logger, getNvOnnxParserVersion());
}

void* createNvOnnxParserRefitter_INTERNAL(void* refitter, void* logger, int32_t)
{
    using Function = void* (*) (void*, void*, int32_t);
    return parser<Function>("createNvOnnxParserRefitter_INTERNAL")(refitter, logger, getNvOnnxParserVersion());
}

} // extern "C"
