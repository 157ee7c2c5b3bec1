console.log('tutti');
