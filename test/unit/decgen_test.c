// SPDX-License-Identifier: Apache-2.0
/* tools/decgen.c: what it accepts and what it refuses. Each table is read in a child process, since a refusal exits. */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test/harness/test.h"

/* The tool itself, in this test: it ends by exit, which must not run the parent's handlers. */
#define main decgen_main
#define exit _exit
#include "tools/decgen.c"
#undef main
#undef exit

static char message[512], header[8192], source[16384];

static void read_all(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(out, 1, cap - 1, f) : 0;
    out[n] = 0;
    if (f) {
        fclose(f);
    }
}

/* Exit status of the tool on this table; message, header and source hold what it wrote. */
static int generate(const char *table)
{
    char folder[] = "/tmp/decgen-XXXXXX", path[64], out[64], log[64], file[80];
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.dec", folder);
    snprintf(out, sizeof out, "%s/t", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    FILE *f = fopen(path, "w");
    CHECK(f);
    fputs(table, f);
    fclose(f);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char *argv[] = { (char *)"decgen", path, out, NULL };
        int fd = open(log, O_WRONLY | O_CREAT, 0600);
        dup2(fd, 2);
        table_name = "t.dec";
        _exit(decgen_main(3, argv));
    }
    int status = -1;
    waitpid(child, &status, 0);
    read_all(log, message, sizeof message);
    snprintf(file, sizeof file, "%s.h", out);
    read_all(file, header, sizeof header);
    unlink(file);
    snprintf(file, sizeof file, "%s.c", out);
    read_all(file, source, sizeof source);
    unlink(file);
    unlink(path);
    unlink(log);
    rmdir(folder);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define HEAD "isa toy TOY\nnames x r0 r1\nfield a 11:7\nfield b signed 31|7|30:25|11:8 << 1\nargs one a\nargs none\n" \
             "format A one a \" {a:x}\"\nformat B one b \" {a:d}\"\nformat N none\n"
#define ANY "........ ........"

TEST(decgen_writes_rows_arguments_and_a_decoder)
{
    CHECK_EQ_U64(generate(HEAD "op.x 00000000 00000000 0000 ..... 0000011 A Base do_it\n"), 0);
    CHECK(strstr(header, "TOY_OP_X,"));
    CHECK(strstr(header, "_(TOY_OP_X, do_it)"));
    CHECK(strstr(header, "struct toy_one { int32_t a; };"));
    CHECK(strstr(source, "{ \"op.x\", \"Base\", \" %0A\", 0xfffff07f, 0x00000003, 4 }"));
}

TEST(decgen_gathers_scattered_signed_immediates)
{
    CHECK_EQ_U64(generate(HEAD "op " ANY " ........ .0000011 B Base do_it\n"), 0);
    CHECK(strstr(source, "(int32_t)(((w >> 31 & 0x1u) << 12 | (w >> 7 & 0x1u) << 11 | (w >> 25 & 0x3fu) << 5 | (w >> 8 & 0xfu) << 1) << 19) >> 19"));
}

TEST(decgen_takes_the_more_specific_row_first)
{
    CHECK_EQ_U64(generate(HEAD "special 00000000 00000000 00000000 00000011 N Base f\ngeneral " ANY " ........ 00000011 N Base f\n"), 0);
}

TEST(decgen_refuses_a_row_that_can_never_be_reached)
{
    CHECK_EQ_U64(generate(HEAD "general " ANY " ........ 00000011 N Base f\nspecial 00000000 00000000 00000000 00000011 N Base f\n"), 1);
    CHECK(strstr(message, "special can never be reached: general (line 10) comes first"));
}

TEST(decgen_refuses_overlaps_without_an_order)
{
    CHECK_EQ_U64(generate(HEAD "one 0....... ........ ........ ......11 N Base f\ntwo ........ ........ ........ .....011 N Base f\n"), 1);
    CHECK(strstr(message, "two overlaps one (line 10), and neither is the more specific"));
}

TEST(decgen_accepts_an_overlap_that_a_third_row_settles)
{
    CHECK_EQ_U64(generate(HEAD "both 0....... ........ ........ .....011 N Base f\none 0....... ........ ........ ......11 N Base f\n"
                          "two ........ ........ ........ .....011 N Base f\n"), 0);
}

TEST(decgen_refuses_the_same_name_twice)
{
    CHECK_EQ_U64(generate(HEAD "op " ANY " ........ 00000011 N B f\nop " ANY " ........ 00000111 N B f\n"), 1);
    CHECK(strstr(message, "declared twice"));
}

TEST(decgen_refuses_words_that_are_no_instruction_size)
{
    CHECK_EQ_U64(generate(HEAD "op " ANY " ....... 00000011 N B f\n"), 1);
    CHECK(strstr(message, "31 bits"));
}

TEST(decgen_refuses_unknown_fields_formats_and_prints)
{
    CHECK_EQ_U64(generate(HEAD "op " ANY " ........ 00000011 NOPE B f\n"), 1);
    CHECK(strstr(message, "no format 'NOPE'"));
    CHECK_EQ_U64(generate(HEAD "format C one nofield\n"), 1);
    CHECK(strstr(message, "no field 'nofield'"));
    CHECK_EQ_U64(generate(HEAD "op " ANY " ........ 00000011 A B f \" {a:nokind}\"\n"), 1);
    CHECK(strstr(message, "no way to print ':nokind'"));
    CHECK_EQ_U64(generate(HEAD "op " ANY " ........ 00000011 A B f \" {z:x}\"\n"), 1);
    CHECK(strstr(message, "have no 'z'"));
}

TEST(decgen_refuses_bits_outside_of_the_word)
{
    CHECK_EQ_U64(generate("isa toy TOY\nfield f 32:30\n"), 1);
    CHECK(strstr(message, "outside of the 32-bit word"));
    CHECK_EQ_U64(generate("isa toy TOY\nfield f 3:5\n"), 1);
    CHECK(strstr(message, "wrong way round"));
}

/* Power's manual counts bits from the left: bits 6:10 are the word's 25:21. */
TEST(decgen_counts_from_the_left_where_the_manual_does)
{
    CHECK_EQ_U64(generate("isa toy TOY\nnumbering msb0\nfield rt 6:10\nargs one a\nformat F one rt\nop 011111.. ........ ........ ........ F B f\n"), 0);
    CHECK(strstr(source, "(w >> 21 & 0x1fu) << 0"));
}
