/** Why a file system refuses a request: an errno, as Linux numbers them in FUSE. */
export const Errno = {
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  ENOSPC: 28,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  EPROTO: 71,
  EILSEQ: 84,
  ESTALE: 116,
} as const;

export type Errno = (typeof Errno)[keyof typeof Errno];

/** The file system is as it was before the request. */
export class FsError extends Error {
  readonly errno: Errno;

  constructor(errno: Errno, message: string) {
    super(message);
    this.name = "FsError";
    this.errno = errno;
  }
}
