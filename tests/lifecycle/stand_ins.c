/*
 * Stand-ins for functions of Asterisk, linked into builds for tests alone
 * (variants.rs) with the linker's --wrap: a call of NAME reaches __wrap_NAME,
 * and __real_NAME is Asterisk's own.
 *
 * Some answer as older versions of Asterisk do. The others report, in
 * Asterisk's log, that a channel is read or changed without its lock.
 */
#include "asterisk.h"

#include <pthread.h>
#include <unistd.h>

#include "asterisk/astdb.h"
#include "asterisk/channel.h"
#include "asterisk/framehook.h"
#include "asterisk/logger.h"
#include "asterisk/pbx.h"
#include "asterisk/stasis_channels.h"
#include "asterisk/strings.h"

/* The longest "/family/key" of an Asterisk that limits it, with its end. */
#define MAX_DB_FIELD 256

int __real_ast_db_exists(const char *family, const char *key);
int __wrap_ast_db_exists(const char *family, const char *key);

/* 18.22 to 18.25, 20.7 to 20.10, 21.2 to 21.5, 22.0. */
int __wrap_ast_db_exists(const char *family, const char *key)
{
	if (strlen(family) + strlen(key) + 2 > MAX_DB_FIELD - 1) {
		ast_log(LOG_WARNING, "Family and key length must be less than %d bytes\n",
			MAX_DB_FIELD - 3);
		return -1;
	}
	return __real_ast_db_exists(family, key);
}

struct ast_db_entry *__real_ast_db_gettree_by_prefix(const char *family, const char *prefix);
struct ast_db_entry *__wrap_ast_db_gettree_by_prefix(const char *family, const char *prefix);

/* Up to 22.0. */
struct ast_db_entry *__wrap_ast_db_gettree_by_prefix(const char *family, const char *prefix)
{
	if (strlen(family) + strlen(prefix) + 2 > MAX_DB_FIELD - 1) {
		ast_log(LOG_WARNING, "Requested key prefix is too long: %s\n", prefix);
		return NULL;
	}
	return __real_ast_db_gettree_by_prefix(family, prefix);
}

/* Reports that this thread does not hold the channel's lock. */
static void need_lock(const struct ast_channel *chan, const char *function)
{
	ast_mutex_t *lock = ao2_object_get_lockaddr((void *) chan);

	if (lock->mutex.__data.__owner != gettid()) {
		ast_log(LOG_ERROR, "channel not locked: %s\n", function);
	}
}

#define LOCKED(type, name) \
	type __real_##name(struct ast_channel *chan); \
	type __wrap_##name(struct ast_channel *chan); \
	type __wrap_##name(struct ast_channel *chan) \
	{ \
		need_lock(chan, #name); \
		return __real_##name(chan); \
	}

LOCKED(struct ast_party_caller *, ast_channel_caller)
LOCKED(const char *, ast_channel_context)
LOCKED(struct ast_party_dialed *, ast_channel_dialed)
LOCKED(const char *, ast_channel_exten)
LOCKED(struct ast_flags *, ast_channel_flags)
LOCKED(struct ast_framehook_list *, ast_channel_framehooks)
LOCKED(const char *, ast_channel_language)
LOCKED(const char *, ast_channel_linkedid)
LOCKED(const char *, ast_channel_name)
LOCKED(struct ast_pbx *, ast_channel_pbx)
LOCKED(int, ast_channel_priority)
LOCKED(void, ast_channel_publish_snapshot)
LOCKED(int, ast_channel_softhangup_internal_flag)
LOCKED(enum ast_channel_state, ast_channel_state)
LOCKED(struct ast_filestream *, ast_channel_stream)
LOCKED(const struct ast_channel_tech *, ast_channel_tech)
LOCKED(const char *, ast_channel_uniqueid)
LOCKED(struct varshead *, ast_channel_varshead)

#define LOCKED_SET(name) \
	void __real_##name(struct ast_channel *chan, const char *value); \
	void __wrap_##name(struct ast_channel *chan, const char *value); \
	void __wrap_##name(struct ast_channel *chan, const char *value) \
	{ \
		need_lock(chan, #name); \
		__real_##name(chan, value); \
	}

LOCKED_SET(ast_channel_accountcode_set)
LOCKED_SET(ast_channel_data_set)
LOCKED_SET(ast_channel_language_set)

int __real_ast_framehook_attach(struct ast_channel *chan, struct ast_framehook_interface *hook);
int __wrap_ast_framehook_attach(struct ast_channel *chan, struct ast_framehook_interface *hook);

int __wrap_ast_framehook_attach(struct ast_channel *chan, struct ast_framehook_interface *hook)
{
	need_lock(chan, "ast_framehook_attach");
	return __real_ast_framehook_attach(chan, hook);
}

int __real_ast_framehook_detach(struct ast_channel *chan, int hook);
int __wrap_ast_framehook_detach(struct ast_channel *chan, int hook);

int __wrap_ast_framehook_detach(struct ast_channel *chan, int hook)
{
	need_lock(chan, "ast_framehook_detach");
	return __real_ast_framehook_detach(chan, hook);
}
