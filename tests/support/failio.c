/* Loaded with LD_PRELOAD: makes chosen system calls on regular files fail, told by files in FAILIO_DIR.
 *
 * A file FAILIO_DIR/<call> holds "<errno> <skip> <count>": let <skip> calls pass, fail the next
 * <count> (0: all that follow) with <errno>. Counting starts when the file appears; its time tells one
 * instruction from the next. Descriptors that are no regular files (sockets, pipes) are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { WRITE, PWRITE, WRITEV, FSYNC, FDATASYNC, RENAME, LINK, OPEN, FTRUNCATE, FALLOCATE, CALLS };
static const char *const names[CALLS] = {"write",  "pwrite", "writev", "fsync",     "fdatasync",
                                         "rename", "link",   "open",   "ftruncate", "fallocate"};
static struct { long long instruction; long seen; } state[CALLS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int instructed(enum call call, int *error, long *skip, long *count, long long *instruction)
{
    char path[4096], text[64];
    const char *folder = getenv("FAILIO_DIR");
    struct stat info;
    if (!folder || snprintf(path, sizeof path, "%s/%s", folder, names[call]) >= (int)sizeof path)
        return 0;
    static int (*real_open)(const char *, int, ...);
    if (!real_open)
        real_open = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int fd = real_open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    int known = fstat(fd, &info) == 0;
    close(fd);
    if (length <= 0 || !known)
        return 0;
    text[length] = 0;
    *instruction = info.st_mtim.tv_sec * 1000000000LL + info.st_mtim.tv_nsec;
    return sscanf(text, "%d %ld %ld", error, skip, count) == 3;
}

/* 1 when this call is to fail; errno is set. Otherwise errno is as it was. */
static int fails(enum call call)
{
    int error, saved = errno, failing = 0;
    long skip, count;
    long long instruction;
    if (instructed(call, &error, &skip, &count, &instruction)) {
        pthread_mutex_lock(&lock);
        if (state[call].instruction != instruction) {
            state[call].instruction = instruction;
            state[call].seen = 0;
        }
        long number = state[call].seen++;
        failing = number >= skip && (count == 0 || number < skip + count);
        pthread_mutex_unlock(&lock);
    }
    errno = failing ? error : saved;
    return failing;
}

static int regular(int fd)
{
    struct stat info;
    int saved = errno;
    int yes = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    errno = saved;
    return yes;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    return fd > 2 && regular(fd) && fails(WRITE) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return regular(fd) && fails(PWRITE) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return regular(fd) && fails(PWRITE) ? -1 : real(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return regular(fd) && fails(WRITEV) ? -1 : real(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
    return regular(fd) && fails(WRITEV) ? -1 : real(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    REAL(ssize_t, "pwritev64", int, const struct iovec *, int, off64_t);
    return regular(fd) && fails(WRITEV) ? -1 : real(fd, parts, count, at);
}

int fsync(int fd)
{
    REAL(int, "fsync", int);
    return fails(FSYNC) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    REAL(int, "fdatasync", int);
    return fails(FDATASYNC) ? -1 : real(fd);
}

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    return fails(RENAME) ? -1 : real(from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    REAL(int, "renameat", int, const char *, int, const char *);
    return fails(RENAME) ? -1 : real(from_fd, from, to_fd, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned int);
    return fails(RENAME) ? -1 : real(from_fd, from, to_fd, to, flags);
}

int link(const char *from, const char *to)
{
    REAL(int, "link", const char *, const char *);
    return fails(LINK) ? -1 : real(from, to);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    REAL(int, "linkat", int, const char *, int, const char *, int);
    return fails(LINK) ? -1 : real(from_fd, from, to_fd, to, flags);
}

/* Only opening to create counts: reading must stay possible. */
#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *path, int flags, ...)
{
    REAL(int, "open", const char *, int, ...);
    MODE(flags)
    return (flags & O_CREAT) && fails(OPEN) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    REAL(int, "open64", const char *, int, ...);
    MODE(flags)
    return (flags & O_CREAT) && fails(OPEN) ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    REAL(int, "openat", int, const char *, int, ...);
    MODE(flags)
    return (flags & O_CREAT) && fails(OPEN) ? -1 : real(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    REAL(int, "openat64", int, const char *, int, ...);
    MODE(flags)
    return (flags & O_CREAT) && fails(OPEN) ? -1 : real(folder, path, flags, mode);
}

int ftruncate(int fd, off_t size)
{
    REAL(int, "ftruncate", int, off_t);
    return fails(FTRUNCATE) ? -1 : real(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(int, "ftruncate64", int, off64_t);
    return fails(FTRUNCATE) ? -1 : real(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    REAL(int, "fallocate", int, int, off_t, off_t);
    return fails(FALLOCATE) ? -1 : real(fd, mode, at, size);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size)
{
    REAL(int, "fallocate64", int, int, off64_t, off64_t);
    return fails(FALLOCATE) ? -1 : real(fd, mode, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size)
{
    REAL(int, "posix_fallocate64", int, off64_t, off64_t);
    return fails(FALLOCATE) ? errno : real(fd, at, size);
}

int posix_fallocate(int fd, off_t at, off_t size)
{
    REAL(int, "posix_fallocate", int, off_t, off_t);
    return fails(FALLOCATE) ? errno : real(fd, at, size);
}
