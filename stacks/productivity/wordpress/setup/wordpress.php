<?php

// Installs WordPress without its wizard: `php wordpress.php check|run`, as the web server's user.
// It calls what the wizard calls, and may be run at any time.

const ROOT = '/var/www/html/';
const PASSWORD_FILE = '/run/secrets/wordpress-admin-password';
const PATIENCE = 300;

// WordPress clears some variables when it loads, so what must outlive that is none.
define('HOMELAB_ACTION', $argv[1] ?? '');
final class HomelabVerdict
{
    public static int $status = 1;
}

if (!in_array(HOMELAB_ACTION, ['check', 'run'], true)) {
    fwrite(STDERR, "write: wordpress.php check|run\n");
    exit(64);
}

// WordPress ends with status 0 and a page when it cannot reach its database, so success must be said
// aloud; of the page only the words are of use here.
ob_start();
register_shutdown_function(static function (): void {
    $page = preg_replace('~<style.*?</style>~s', '', (string) ob_get_clean());
    $words = trim(preg_replace('~\s+~', ' ', html_entity_decode(strip_tags($page))));
    if ($words !== '') {
        fwrite(STDERR, "$words\n");
    }
    exit(HomelabVerdict::$status);
});

// At the first start the image copies WordPress into its volume; its configuration comes last.
$until = time() + (HOMELAB_ACTION === 'run' ? PATIENCE : 0);
while (!is_file(ROOT . 'wp-config.php') || !is_file(ROOT . 'wp-load.php')) {
    if (time() >= $until) {
        fwrite(STDERR, "WordPress is not in its folder yet\n");
        exit(1);
    }
    sleep(1);
}

// What WordPress reads of a request. Nothing here is one.
$_SERVER['HTTP_HOST'] = parse_url((string) getenv('HOMELAB_URL'), PHP_URL_HOST);
$_SERVER['SERVER_NAME'] = $_SERVER['HTTP_HOST'];
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['HTTPS'] = 'on';

// Otherwise it redirects to the wizard, and ends.
define('WP_INSTALLING', true);

// In place of its own, which tells the owner by mail what they know; there is no mail server.
function wp_new_blog_notification($blog_title, $blog_url, $user_id, $password): void
{
}

require_once ROOT . 'wp-load.php';

// An installation that was cut off has settings but nobody to change them.
function is_set_up(): bool
{
    return is_blog_installed()
        && get_users(['role' => 'administrator', 'number' => 1, 'fields' => 'ID']) !== [];
}

if (HOMELAB_ACTION === 'run' && !is_set_up()) {
    $password = trim((string) file_get_contents(PASSWORD_FILE));
    if ($password === '') {
        fwrite(STDERR, PASSWORD_FILE . " is empty\n");
        exit(1);
    }
    require_once ABSPATH . 'wp-admin/includes/upgrade.php';

    // To find out whether addresses with words work, it would ask itself by a name that leads nowhere
    // before it runs. The image's web server can do them.
    $permalinks = '/%year%/%monthnum%/%day%/%postname%/';
    $known = static fn (): string => $permalinks;
    add_filter('pre_option_permalink_structure', $known);
    wp_install(
        (string) getenv('HOMELAB_NAME'),
        (string) getenv('HOMELAB_ADMIN'),
        (string) getenv('HOMELAB_ADMIN_EMAIL'),
        // Not shown to search engines until its owner says so.
        false,
        '',
        wp_slash($password),
    );
    remove_filter('pre_option_permalink_structure', $known);
    $wp_rewrite->set_permalink_structure($permalinks);
    flush_rewrite_rules();
    wp_cache_flush();
}

HomelabVerdict::$status = is_set_up() ? 0 : 1;
