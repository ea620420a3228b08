/* The complex functions of the Universal C Runtime, which wine's ucrtbase.dll only stubs. numpy calls them.
   Microsoft's complex numbers are plain structures, and its long double is a double. */
#include <complex.h>

typedef struct { double re, im; } D;
typedef struct { float re, im; } F;

#define IN(z) __builtin_complex((double)(z).re, (double)(z).im)
#define INF(z) __builtin_complex((float)(z).re, (float)(z).im)
#define OUT(type, z) ((type){__real__(z), __imag__(z)})

#define REAL(name) \
    double shim_##name(D a) { return name(IN(a)); } \
    double shim_##name##l(D a) { return name(IN(a)); } \
    float shim_##name##f(F a) { return name##f(INF(a)); }

#define ONE(name) \
    D shim_##name(D a) { double _Complex z = name(IN(a)); return OUT(D, z); } \
    D shim_##name##l(D a) { double _Complex z = name(IN(a)); return OUT(D, z); } \
    F shim_##name##f(F a) { float _Complex z = name##f(INF(a)); return OUT(F, z); }

REAL(cabs) REAL(carg) REAL(creal) REAL(cimag)
ONE(cexp) ONE(clog) ONE(csqrt) ONE(csin) ONE(ccos) ONE(ctan) ONE(csinh) ONE(ccosh) ONE(ctanh)

D shim_cpow(D a, D b) { double _Complex z = cpow(IN(a), IN(b)); return OUT(D, z); }
D shim_cpowl(D a, D b) { return shim_cpow(a, b); }
F shim_cpowf(F a, F b) { float _Complex z = cpowf(INF(a), INF(b)); return OUT(F, z); }
