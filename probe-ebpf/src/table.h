/* The unwind tables, which user space makes from .eh_frame; `table` in lib.rs is
 * the same in Rust and says more. */
#ifndef OTOP_TABLE_H
#define OTOP_TABLE_H

#define PAGE_BYTES 4096
#define BUCKET_SHIFT 12
#define BUCKET_BYTES (1 << BUCKET_SHIFT) /* of code */
#define DIRECTORY_ENTRIES 512           /* buckets of a directory page */
#define ROWS 1024                       /* rows of a row page */
#define TABLES_MAX 4096
#define RULES_MAX 65536

/* Where a bucket's rows are: they never straddle a page, and the first one is at
 * the bucket's start, so that a look-up needs no other bucket. */
struct bucket {
	u32 page;
	u16 first;
	u16 count;
};

union page {
	struct bucket directory[DIRECTORY_ENTRIES];
	u32 row[ROWS]; /* offset in the bucket << 16 | rule */
};

/* How to get from a frame to its caller: a u64 with these bit fields. */
#define RULE_CFA(rule) ((u8)(rule))
#define RULE_REGISTER(rule) ((u8)((rule) >> 8) & 31)
#define RULE_FP(rule) ((u8)((rule) >> 13) & 7)
#define RULE_FP_OFFSET(rule) ((s64)(s16)((rule) >> 16))
#define RULE_OFFSET(rule) ((s64)(s32)((rule) >> 32))
#define RULE_INNER_OFFSET(rule) ((s64)(s16)((rule) >> 32))
#define RULE_OUTER_OFFSET(rule) ((s64)(s16)((rule) >> 48))

enum cfa {
	CFA_NONE,
	CFA_SP,
	CFA_FP,
	CFA_PLT,
	CFA_REGISTER,
	CFA_DEREF,
	CFA_SIGNAL,
	CFA_END,
	CFA_UNSUPPORTED,
};
enum fp {
	FP_SAME,
	FP_AT_CFA,
	FP_UNDEFINED,
	FP_AND_RA_AT_CFA,
	RA_IN_REGISTER,
	FP_AT_FP,
	RA_AT_CFA,
};

/* What is mapped where, in one process. A page of up to REGIONS - 1 regions
 * by address; where a process has more, page 0 is a directory: region[i].start is
 * where page i + 1 begins. */
#define REGIONS 64 /* a power of two for the verifier's sake; one less is used */

enum region_kind {
	REGION_TABLE,         /* unwound by table */
	REGION_FRAME_POINTER, /* code without a table: a JIT's */
	REGION_UNKNOWN,       /* the table is not there (yet) */
};

struct region {
	u64 start;
	u64 base; /* address - base = the offset that the table knows */
	u32 pages;
	u16 table;
	u16 kind;
};
struct regions_key {
	u32 pid;
	u32 page;
};
struct regions {
	u64 start_ns; /* with exec_id: whose these are; 0 where only the pid is known */
	u32 exec_id;
	u16 count;
	u16 pages; /* in page 0: how many follow */
	struct region region[REGIONS];
};

#endif
