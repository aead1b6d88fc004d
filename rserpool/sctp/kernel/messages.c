/* Reads messages and notifications of the kernel's SCTP, several with one system call.

   Python does the same without it (messages.py), by a call for each. Here is no state: what is read is handed over as a
   list, so nobody comes back while the rooms are in use; the interpreter's lock is held, and nothing waits. */

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* As in linux/sctp.h, which is not everywhere; options.py has the same. */
enum { RCVINFO = 3, UNORDERED = 1, NOTIFICATION = 0x8000 };
enum { AT_ONCE = 16, LARGEST = 65536 + 1024 }; /* messages.py has both */

struct rcvinfo {
    uint16_t stream, ssn, flags;
    uint32_t ppid, tsn, cumulative, context, association;
};

static char rooms[AT_ONCE][LARGEST];
static union {
    struct cmsghdr aligned;
    char room[CMSG_SPACE(sizeof(struct rcvinfo)) + CMSG_SPACE(16)];
} controls[AT_ONCE];

/* What is said beside a message; 0 if nothing is. */
static int about(struct msghdr *header, struct rcvinfo *information)
{
    for (struct cmsghdr *each = CMSG_FIRSTHDR(header); each; each = CMSG_NXTHDR(header, each))
        if (each->cmsg_level == IPPROTO_SCTP && each->cmsg_type == RCVINFO &&
            each->cmsg_len == CMSG_LEN(sizeof *information)) {
            memcpy(information, CMSG_DATA(each), sizeof *information);
            return 1;
        }
    return 0;
}

/* One of what came, as messages.py has it. */
static PyObject *item(const char *data, Py_ssize_t length, int flags, const struct rcvinfo *information)
{
    PyObject *notification = flags & NOTIFICATION ? Py_True : Py_False;
    PyObject *whole = flags & MSG_EOR ? Py_True : Py_False;
    return Py_BuildValue("(Iy#IiOOO)", (unsigned)information->association, data, length,
                         (unsigned)ntohl(information->ppid), (int)information->stream,
                         information->flags & UNORDERED ? Py_True : Py_False, whole, notification);
}

/* The descriptor of a socket, -1 if it is closed; -2 with an exception set. */
static int descriptor(PyObject *sock)
{
    PyObject *number = PyObject_CallMethod(sock, "fileno", NULL);
    long fd = number ? PyLong_AsLong(number) : -2;
    Py_XDECREF(number);
    return PyErr_Occurred() ? -2 : (int)fd;
}

PyDoc_STRVAR(receive_doc, "receive(sock)\n--\n\nRead what came to a socket.\n\n"
                          "@return: a list, and whether there may be more: see messages.py.\n"
                          "@raise OSError: as recvmsg does.");

static PyObject *receive(PyObject *Py_UNUSED(module), PyObject *sock)
{
    struct mmsghdr headers[AT_ONCE];
    struct iovec parts[AT_ONCE];
    int fd = descriptor(sock);
    if (fd == -2)
        return NULL;
    memset(headers, 0, sizeof headers);
    for (int each = 0; each < AT_ONCE; each++) {
        parts[each].iov_base = rooms[each];
        parts[each].iov_len = LARGEST;
        headers[each].msg_hdr.msg_iov = &parts[each];
        headers[each].msg_hdr.msg_iovlen = 1;
        headers[each].msg_hdr.msg_control = &controls[each];
        headers[each].msg_hdr.msg_controllen = sizeof controls[each];
    }
    int count = recvmmsg(fd, headers, AT_ONCE, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        return PyErr_SetFromErrno(PyExc_OSError);
    PyObject *came = PyList_New(0), *more = count == AT_ONCE ? Py_True : Py_False;
    for (int each = 0; came && each < count; each++) {
        struct rcvinfo information = {0};
        int known = about(&headers[each].msg_hdr, &information), flags = headers[each].msg_hdr.msg_flags;
        Py_ssize_t length = headers[each].msg_len;
        PyObject *one = item(rooms[each], length, flags, &information);
        if (!one || PyList_Append(came, one) < 0)
            Py_CLEAR(came);
        Py_XDECREF(one);
        if (!length && !known && !(flags & MSG_EOR)) {
            more = Py_False; /* the end of the file, as often as one reads */
            break;
        }
    }
    return came ? Py_BuildValue("(NO)", came, more) : NULL;
}

static PyMethodDef functions[] = {
    {"receive", receive, METH_O, receive_doc},
    {0},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_messages", "Reads several messages at a time (messages.c).", 0, functions,
};

PyMODINIT_FUNC PyInit__messages(void)
{
    return PyModule_Create(&definition);
}
