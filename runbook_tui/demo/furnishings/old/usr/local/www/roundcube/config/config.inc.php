<?php
$config = array();
$config['db_dsnw'] = 'pgsql://roundcube@localhost/roundcube';
$config['default_host'] = 'old.@domain@';
$config['smtp_server'] = 'localhost';
$config['product_name'] = 'Webmail of @domain@';
$config['des_key'] = 'rcmail-24-bytes-of-@domain@';
$config['plugins'] = array('archive', 'zipdownload');
