/* bcryptprimitives.dll of Windows, which wine before 9 lacks: extensions written in Rust take their random bytes there. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T left)
{
    while (left) {
        ULONG now = left > 65536 ? 65536 : (ULONG)left;
        if (!SystemFunction036(bytes, now))
            return FALSE;
        bytes += now;
        left -= now;
    }
    return TRUE;
}
